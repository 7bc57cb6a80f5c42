"""Secrets in JSON: found by the names of members and by the shapes of values; put in their place, names. Pure."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.core.pointers import pointer, under

_BITS: Final = 3.0
_LONG: Final = 16
# Counts are bounded everywhere: a text of a MiB costs a multiple of its length, whatever stands in it.
_SHAPES: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{20,255}|gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,255}|sk-[A-Za-z0-9_-]{20,255}"
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,255}|npm_[A-Za-z0-9]{30,255}|pypi-[A-Za-z0-9_-]{30,255}"
    r"|hf_[A-Za-z0-9]{30,255}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,255}|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}"
    r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|do[opr]_v1_[a-f0-9]{64}|hv[sb]\.[A-Za-z0-9_-]{20,255}"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{20,80}|gati_[a-z0-9]{1,20}_[0-9A-Za-z]{20,255}"
    r"|eyJ[A-Za-z0-9_-]{8,400}\.eyJ[A-Za-z0-9_-]{8,400}"
    r")"
    r"|hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{10,100}"
)
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@?#]{0,200}:([^/\s@]{1,200})@")
_HEADER: Final = re.compile(r"(?<![A-Za-z])(?:Bearer|Basic)\s{1,8}([A-Za-z0-9+/._~=-]{8,200})", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"(?<![A-Za-z])(?:password|passwd|pwd|accountkey|sharedaccesskey|client_secret|api_?key|access_token)"
    r"=([^;\s&]{3,200})",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET: Final = frozenset(
    {
        "password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "tokens",
        "credential", "credentials", "cookie", "cookies", "authorization", "apikey", "apikeys", "privatekey",
        "pat", "dsn", "pin", "otp", "jwt", "bearer"
    }
)  # fmt: skip
_KEYS: Final = frozenset(
    {
        "api", "access", "private", "secret", "signing", "encryption", "session", "account", "client", "auth",
        "master", "service", "license", "ssh"
    }
)  # fmt: skip
_STRONG: Final = frozenset(
    {
        "password", "passwd", "pwd", "passphrase", "secret", "apikey", "privatekey"
    }
)  # fmt: skip
_HARMLESS: Final = frozenset(
    {
        "name", "names", "file", "path", "ref", "reference", "length", "size", "policy", "min", "max", "type",
        "kind", "id", "ids", "count", "expiry", "expires", "ttl", "lifetime", "required", "enabled",
        "algorithm", "format", "hint", "help", "url", "uri", "endpoint", "field", "header", "prefix", "limit",
        "rotation", "provider"
    }
)  # fmt: skip
_PLACEHOLDER: Final = re.compile(
    r"\s*|\$\{[^{}]{1,200}\}|\$[A-Za-z_][A-Za-z0-9_]*|\{\{[^{}]{1,200}\}\}|<[^<>]{1,200}>|\*+|%[A-Za-z_][A-Za-z0-9_]*%"
    r"|(?:env|secret|vault|keyring)(?::|://)[A-Za-z0-9_./#-]{1,200}",
)
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_DESCRIBED: Final = frozenset({"name", "description", "required", "type", "kind", "id"})


def find(value: Any) -> list[str]:
    """The pointers of texts and numbers that look like secrets; of a member whose name is one, that of its object."""
    return list(dict.fromkeys(under("", path) for path in _paths(value)))


def replaced(value: Any) -> tuple[Any, list[str]]:
    """The same value with a name, `${NAME}`, in the place of each secret; and those names, in order."""
    names: dict[str, str] = {}
    for path in _paths(value):
        base = re.sub(r"[^A-Z0-9]+", "_", "_".join(map(str, path)).upper()).strip("_")[:100] or "SECRET"
        chosen, number = f"SECRET_{base}" if base[0].isdigit() else base, 2
        while chosen in names.values():
            chosen, number = f"{base}_{number}", number + 1
        names.setdefault(under("", path), chosen)
    return _with_names(value, names, ""), list(names.values())


def is_secret(text: str) -> bool:
    """Whether a text is, or holds, something of the shape of a secret, whatever its name is."""
    # In a sentence, `basic knowledge` is none; a word with a digit in it, or one that is all there is, is.
    headers = (match for match in _HEADER.finditer(text) if match[0] == text.strip() or re.search(r"[0-9]", match[1]))
    if _SHAPES.search(text) or any(True for _ in headers):
        return True
    return any(not _is_placeholder(match[1]) for form in (_URL, _PAIR) for match in form.finditer(text))


def is_secret_name(name: str) -> bool:
    """Whether a member of this name holds a secret."""
    words = _words(name) or [""]
    if words[-1] in _HARMLESS or "public" in words:
        return False
    is_key = words[-1] in {"key", "keys", "string"} and len(words) > 1
    is_key = is_key and (words[-2] in _KEYS or words[-2:] == ["connection", "string"])
    return words[-1] in _SECRET or is_key or any(word in _STRONG for word in words)


def _paths(value: Any) -> Iterator[tuple[str | int, ...]]:
    stack: list[tuple[Any, tuple[str | int, ...], str]] = [(value, (), "")]
    while stack:
        inner, path, under_name = stack.pop()
        if isinstance(inner, Mapping):
            for key, one in reversed(list(inner.items())):
                if is_secret(key):
                    yield path
                stack.append((one, (*path, key), _inherited(key, under_name)))
        elif isinstance(inner, list):
            stack += [(one, (*path, index), under_name) for index, one in reversed(list(enumerate(inner)))]
        elif _is_found(inner, under_name):
            yield path


def _inherited(key: str, under_name: str) -> str:
    """The name that says what a value is: its own, or that of the secrets it is among."""
    if is_secret_name(key):
        return key
    if under_name and key not in _DESCRIBED and not _is_harmless(key):
        return under_name
    return "" if not _ends_in_key(key) else key


def _is_found(value: Any, name: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    words = _words(name)
    if isinstance(value, int):
        return bool(words) and words[-1] in _STRONG
    if is_secret(value):
        return True
    if not name or _is_placeholder(value):
        return False
    if is_secret_name(name):
        return not (words[-1].endswith("s") and _NAME.fullmatch(value))
    return len(value) >= _LONG and " " not in value and _entropy(value) >= _BITS


def _is_harmless(key: str) -> bool:
    words = _words(key)
    return bool(words) and words[-1] in _HARMLESS


def _ends_in_key(key: str) -> bool:
    words = _words(key)
    return bool(words) and words[-1] in {"key", "keys"} and "public" not in words


def _words(name: str) -> list[str]:
    """The words of a name, in small letters, without the numbers between and behind them."""
    return [word.lower() for word in _WORDS.findall(name[:200])]


def _is_placeholder(text: str) -> bool:
    return _PLACEHOLDER.fullmatch(text[:500]) is not None


def _entropy(text: str) -> float:
    """Bits for each character."""
    counts = Counter(text[:500])
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def _with_names(value: Any, names: Mapping[str, str], at: str) -> Any:
    if at in names:
        return f"${{{names[at]}}}"
    if isinstance(value, Mapping):
        return {key: _with_names(one, names, at + pointer(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_names(one, names, at + pointer(index)) for index, one in enumerate(value)]
    return value
