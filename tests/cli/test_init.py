"""`gati init`: a project of a template, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ended, Gati

VARIABLES: list[dict[str, Any]] = [
    {"name": "projectName", "description": "Its name", "required": True, "pattern": "[a-z][a-z0-9-]*"},
    {"name": "database", "options": ["postgres", "sqlite"], "default": "sqlite"},
    {"name": "useDatabase", "type": "boolean", "default": False},
    {"name": "apiKey", "description": "Key", "required": True, "secret": True},
]
MANIFEST: dict[str, Any] = {
    "name": "starter",
    "version": "1.0.0",
    "files": ["README.md", "src/**", "run.sh"],
    "config": {
        "templateType": "app",
        "variables": VARIABLES,
        "conditions": [{"files": "src/db/**", "when": "useDatabase"}],
        "includesModules": ["@gati-official/auth@^1.2.0", "users/alice/log"],
        "setup": "Start **{{ projectName }}** with {{ apiKey }}.",
    },
}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template in a folder."""
    folder = tmp_path / "template"
    for name, content in {
        "README.md": "# {{ projectName }} on {{database}}, \\{{ projectName }} and {{ other }}\n",
        "src/{{ projectName }}.js": "export const key = '{{ apiKey }}';\n",
        "src/db/index.js": "",
        "notes.txt": "none of the template",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "run.sh").write_bytes(b"\0{{ projectName }}")
    (folder / "run.sh").chmod(0o755)
    write(folder)
    return folder


def write(folder: Path, **config: Any) -> None:
    manifest = MANIFEST | {"config": MANIFEST["config"] | config}
    (folder / "gati-module.json").write_text(json.dumps(manifest))


def init(gati: Gati, template: Path, target: Path, *words: str, **how: Any) -> Ended:
    return gati.run("init", "shop", "--template", str(template), "--dir", str(target), *words, **how)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_project_is_made_with_its_values_in_files_and_names(gati: Gati, template: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    ended = init(gati, template, target, "--var", "apiKey=hidden")
    assert ended.status == 0, ended.err
    assert files(target) == ["README.md", "gati.modules.json", "run.sh", "src/shop.js"]
    assert (target / "README.md").read_text() == "# shop on sqlite, {{ projectName }} and {{ other }}\n"
    assert (target / "src" / "shop.js").read_text() == "export const key = 'hidden';\n"
    assert (target / "run.sh").read_bytes() == b"\0{{ projectName }}"
    assert (target / "run.sh").stat().st_mode & 0o777 == 0o755
    wanted = json.loads((target / "gati.modules.json").read_text())
    assert wanted == {"dependencies": {"@gati-official/auth": "^1.2.0", "users/alice/log": "*"}}
    assert "Start **shop** with ….\n" in ended.err
    assert f"gati module install --dir {target}" in ended.err
    assert not list(tmp_path.glob(".made*"))


def test_the_folder_that_one_stands_in_stays_it(
    gati: Gati, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    gati("init", "--template", str(template), "--dir", ".", "--var", "apiKey=x")
    assert files(Path()) == ["README.md", "gati.modules.json", "run.sh", "src/here.js"]


def test_a_condition_that_holds_brings_its_files(gati: Gati, template: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    given = ("--var", "apiKey=x", "--var", "useDatabase=yes", "--var", "database=postgres", "--json")
    ended = init(gati, template, target, *given)
    assert "src/db/index.js" in ended.document["files"]
    assert "on postgres" in (target / "README.md").read_text()


def test_what_is_missing_is_asked_for_on_a_terminal(
    gati: Gati, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: "secret-word")
    target = tmp_path / "made"
    typed = "Not A Name\nstore\nnosql\npostgres\ny\n"
    ended = init(gati, template, target, stdin=typed, typed=True)
    assert ended.status == 0, ended.err
    assert "has not the form that it must have" in ended.err
    assert "'nosql' is not one of" in ended.err
    assert "secret-word" not in ended.err + ended.out
    assert "secret-word" in (target / "src" / "store.js").read_text()
    assert "src/db/index.js" in files(target)


def test_what_is_missing_is_named_where_nobody_can_be_asked(gati: Gati, template: Path, tmp_path: Path) -> None:
    ended = init(gati, template, tmp_path / "made")
    assert ended.status == 1
    assert "The variable apiKey needs a value." in ended.err
    assert "--var apiKey=VALUE" in ended.err
    assert not (tmp_path / "made").exists()
    assert init(gati, template, tmp_path / "made", "--yes", stdin="x\n", typed=True).status == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["database=mysql"], "Choose one of: postgres, sqlite."),
        (["unknown=1"], "has no variable 'unknown'"),
        (["projectName=../up"], "projectName"),
        (["apiKey"], "gives no value"),
        (["database=sqlite", "database=postgres"], "gives database twice"),
    ],
)
def test_a_value_that_cannot_be_is_told(
    gati: Gati, template: Path, tmp_path: Path, given: list[str], told: str
) -> None:
    words = [word for one in given for word in ("--var", one)]
    ended = init(gati, template, tmp_path / "made", "--var", "apiKey=x", *words)
    assert ended.status == 1
    assert told in ended.err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", ["../../evil", "a/b", "/etc/x"])
def test_no_value_leads_out_of_the_project(gati: Gati, template: Path, tmp_path: Path, value: str) -> None:
    write(template, variables=[{"name": "projectName"}], setup="")
    ended = init(gati, template, tmp_path / "made", "--var", f"projectName={value}")
    assert ended.status == 1
    assert "--var" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "template"]


def test_a_link_in_a_template_is_not_followed(gati: Gati, template: Path, tmp_path: Path) -> None:
    (template / "src" / "link.js").symlink_to("/etc/passwd")
    ended = init(gati, template, tmp_path / "made", "--var", "apiKey=x")
    assert ended.status == 1
    assert "is no plain file" in ended.err


def test_a_folder_that_holds_something_is_left_alone(gati: Gati, template: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / "README.md").write_text("mine")
    (target / "other").write_text("mine")
    ended = init(gati, template, target, "--var", "apiKey=x")
    assert ended.status == 7
    assert files(target) == ["README.md", "other"]
    assert init(gati, template, target, "--var", "apiKey=x", "--force").status == 0
    assert (target / "other").read_text() == "mine"
    assert (target / "README.md").read_text().startswith("# shop")


def test_what_is_no_template_is_told(gati: Gati, tmp_path: Path) -> None:
    assert gati.run("init", "--template", str(tmp_path / "nowhere")).status == 1
    (tmp_path / "gati-module.json").write_text('{"name": "x", "config": {"type": "node"}}')
    assert "is no template" in gati.run("init", "--template", str(tmp_path)).err
    assert gati.run("init", "a/b", "--template", str(tmp_path)).status == 1
