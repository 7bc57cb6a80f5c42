"""The file of settings."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path


def read_file(path: Path, names: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """What a TOML file sets, by names of settings; `names` has them by keys. What is wrong joins `problems`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}.")
        return {}
    except ValueError as error:
        problems.append(f"{path}: is not TOML: {error}.")
        return {}
    given = {}
    for key, value in content.items():
        if key not in names:
            near = difflib.get_close_matches(key.lower(), names, 1)
            problems.append(f"{path}: there is no setting {key!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            given[names[key]] = ",".join(value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            given[names[key]] = str(value)
        else:
            problems.append(f"{path}: {key} must be a text, a whole number or a list of texts.")
    return given
