"""Folders become the same bytes wherever they are packed, without what is nobody's business."""

import hashlib
import io
import os
import random
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts.formats import archive
from registry.cli import ignoring, packing, selection
from registry.cli.packing import Content
from registry.cli.problems import Problem

_PART = st.text("abcXYZ019-_. äß漢", min_size=1, max_size=8).filter(
    lambda part: part.strip(" .") == part and not part.startswith(".")
)
_FILES = st.dictionaries(
    st.lists(_PART, min_size=1, max_size=3).map("/".join), st.tuples(st.binary(max_size=600), st.booleans()), max_size=6
)


def write(folder: Path, files: Mapping[str, tuple[bytes, bool]], order: random.Random) -> None:
    """Write files in any order, with any times and modes."""
    names = list(files)
    order.shuffle(names)
    for name in names:
        content, is_executable = files[name]
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod((0o100 if is_executable else 0) | order.choice([0o600, 0o644, 0o666, 0o640]))
        os.utime(place, (order.randrange(2**31), order.randrange(2**31)))


def packed(folder: Path, into: Path) -> bytes:
    """What a folder is packed as."""
    made = packing.pack(selection.choose(folder).files, into)
    content = into.read_bytes()
    assert (made.size, made.digest) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    return content


def is_tree(files: Mapping[str, Any]) -> bool:
    """Whether no name is a folder and a file, in any case of letters."""
    folded = [name.casefold() for name in files]
    return len(set(folded)) == len(folded) and not any(
        other.startswith(f"{name}/") for name in folded for other in folded
    )


@settings(max_examples=100)
@given(_FILES.filter(is_tree), st.integers(0, 2**32), st.integers(0, 2**32))
def test_the_same_tree_is_the_same_bytes(files: dict[str, tuple[bytes, bool]], one: int, other: int) -> None:
    made = []
    for seed in (one, other):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "tree")
            tree.mkdir()
            write(tree, files, random.Random(seed))  # noqa: S311 - any order
            made.append(packed(tree, Path(folder, "packed.tgz")))
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as found:
        kept = {entry.name: (found.extractfile(entry).read(), entry.mode == 0o755) for entry in found}  # type: ignore[union-attr]
    assert kept == files


def test_an_archive_is_one_that_the_registry_reads(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write(tree, {"a" * 120: (b"long", False), "src/ü.js": (b"x" * 5000, True)}, random.Random(1))  # noqa: S311 - as above
    (tree / "link.js").symlink_to("src/ü.js")
    content = packed(tree, tmp_path / "packed.tgz")
    found = list(archive.entries(io.BytesIO(content), archive.Limits(), gzipped=True))
    assert [(entry.path, entry.size) for entry in found] == [("a" * 120, 4), ("link.js", 5000), ("src/ü.js", 5000)]


def test_an_archive_says_nothing_of_where_and_when_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "index.js").write_text("hello")
    content = packed(tmp_path / "tree", tmp_path / "packed.tgz")
    assert content[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        (entry,) = found
    assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, 0, "", "")
    assert packing.COMPRESSOR_VALUE.split("/")[:2] == ["zlib", zlib.ZLIB_RUNTIME_VERSION]


KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


def test_secrets_and_what_tools_leave_are_never_packed(tmp_path: Path) -> None:
    files = {
        ".env": "TOKEN=x", ".env.local": "TOKEN=x", ".env.example": "TOKEN=", "deep/.npmrc": "x", "id_ed25519": "x",
        "server.pem": KEY, "ca.pem": "-----BEGIN CERTIFICATE-----\n", "doc.md": f"Write:\n{KEY}", ".ssh/config": "x",
        "node_modules/a/index.js": "x", ".git/config": "x", "src/node_modules/b.js": "x", "src/a.js": "x",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".gatiignore").write_text("!.env\n!node_modules\n")
    choice = selection.choose(tmp_path)
    assert [file.path for file in choice.files] == [".env.example", "ca.pem", "doc.md", "src/a.js"]
    assert sorted(choice.secrets) == [".env", ".env.local", ".ssh", "deep/.npmrc", "id_ed25519", "server.pem"]
    assert "node_modules" in choice.tools


def test_a_secret_that_files_name_is_not_packed_either(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=x")
    choice = selection.choose(tmp_path, [".env", "**"])
    assert (choice.files, choice.secrets) == ([], [".env"])


@pytest.mark.parametrize(
    ("line", "path", "is_folder", "is_ignored"),
    [
        ("*.log", "a.log", False, True),
        ("*.log", "deep/a.log", False, True),
        ("/a.log", "deep/a.log", False, False),
        ("build/", "build", True, True),
        ("build/", "build", False, False),
        ("docs/*.md", "docs/a.md", False, True),
        ("docs/*.md", "docs/deep/a.md", False, False),
        ("docs/**/*.md", "docs/deep/er/a.md", False, True),
        ("docs/**/*.md", "docs/a.md", False, True),
        ("**/x", "a/b/x", False, True),
        ("a/**", "a/b/c", False, True),
        ("a[0-9].txt", "a5.txt", False, True),
        ("a[!0-9].txt", "a5.txt", False, False),
        ("a[", "a[", False, True),
        ("# comment", "# comment", False, False),
        ("\\#file", "#file", False, True),
        ("file  ", "file", False, True),
        ("a?c", "abc", False, True),
        ("a?c", "a/c", False, False),
    ],
)
def test_what_is_ignored_is_what_git_would_ignore(line: str, path: str, is_folder: bool, is_ignored: bool) -> None:
    assert ignoring.is_ignored(path, ignoring.patterns(line), is_folder=is_folder) is is_ignored


def test_a_later_line_takes_back_what_an_earlier_one_said() -> None:
    rules = ignoring.patterns("*.log\n!keep.log\n")
    assert ignoring.is_ignored("a.log", rules, is_folder=False)
    assert not ignoring.is_ignored("keep.log", rules, is_folder=False)


@pytest.mark.parametrize(
    ("target", "complaint"),
    [("/etc/hostname", "leads out"), ("../outside", "leads out"), ("nothing", "leads nowhere"), ("src", "is no file")],
)
def test_a_link_that_means_no_file_of_the_folder_is_refused(tmp_path: Path, target: str, complaint: str) -> None:
    (tmp_path / "outside").write_text("x")
    (tmp_path / "tree" / "src").mkdir(parents=True)
    (tmp_path / "tree" / "link").symlink_to(target)
    with pytest.raises(Problem, match=complaint):
        selection.choose(tmp_path / "tree")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Problem, match="is no file"):
        selection.choose(tmp_path)


def test_a_file_that_changes_while_it_is_packed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("hello")
    files = selection.choose(tmp_path).files
    (tmp_path / "a.js").write_text("hello, world")
    with pytest.raises(Problem, match="changed while it was packed"):
        packing.pack(files, tmp_path / "packed.tgz")


def test_a_part_of_a_file_is_read_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * 100)
    whole = (tmp_path / "large").read_bytes()
    with Content("", 1000, tmp_path / "large", 500).open() as file:
        assert file.read() == whole[500:1500]
        file.seek(990)
        assert file.read(100) == whole[1490:1500]
        file.seek(0)
        assert file.read(3) == whole[500:503]
