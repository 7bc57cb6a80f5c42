"""`gati model pull` and `gati model card`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.cli import model_pulls
from registry.cli.model_cards import markdown
from tests.cli.conftest import Ended, Gati
from tests.cli.depot import Depot, Layer, digest, stocked
from tests.cli.stand_in import Told

MODEL = "application/vnd.gati.model"
NAME = "users/alice/llama"
WEIGHTS = b"weights" * 1000
CARD = {
    "dataset": "tiny | `tale`",
    "accuracy": 0.913,
    "usageExamples": ["print('```')"],
    "limitations": "English\nonly",
}
BENCHMARKS = {"inferenceTime": "12ms", "memoryUsage": "256MB"}


class Shelf(Depot):
    """A depot with models: releases are shown with their Gati manifests."""

    def put(self, *layers: tuple[str, str, bytes, dict[str, str]], version: str = "1.0.0", **config: Any) -> str:
        """Publish a model of these layers: title, media type, bytes, annotations; its digest."""
        manifest = {"name": "llama", "version": version, "config": {"modelFormat": "gguf"} | config, "modelCard": CARD}
        raw = json.loads(self.manifest(json.dumps(manifest).encode(), (), config_type=f"{MODEL}.config.v1+json"))
        for title, kind, content, notes in layers:
            described = self._descriptor(Layer(content, kind, title))
            described["annotations"] |= notes
            raw["layers"].append(described)
        held = self.hold(json.dumps(raw).encode(), "application/vnd.oci.image.manifest.v1+json")
        known = self.release(NAME, version, held, type="model", manifest=manifest, tags=["latest", version])
        self.artifacts[NAME][-1]["repository"] = NAME
        return known


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    with stocked(made):
        yield made


def weights(title: str = "llama.gguf", content: bytes = WEIGHTS) -> tuple[str, str, bytes, dict[str, str]]:
    return title, f"{MODEL}.gguf.v1", content, {}


def pieces(count: int) -> list[tuple[str, str, bytes, dict[str, str]]]:
    """The weights in pieces, not in their order."""
    step = -(-len(WEIGHTS) // count)
    found = [
        (
            f"llama.gguf.part{number}",
            f"{MODEL}.shard.v1",
            WEIGHTS[(number - 1) * step : number * step],
            {"dev.gati.model.shard": f"{number}/{count}"},
        )
        for number in range(1, count + 1)
    ]
    return found[::-1]


def pull(gati: Gati, shelf: Shelf, folder: Path, *words: str) -> Ended:
    return gati.run("model", "pull", NAME, "--dir", str(folder), "--registry", shelf.url, *words)


def blobs(shelf: Shelf) -> list[str]:
    return [path for path in shelf.paths() if "/blobs/" in path]


def test_the_files_of_a_model_come_and_come_once(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    known = shelf.put(weights(), ("README.md", "text/markdown", b"# Llama\n", {}))
    ended = pull(gati, shelf, tmp_path / "m", "--json")
    assert ended.document["digest"] == known
    assert ended.document["files"] == ["README.md", "llama.gguf"]
    assert (tmp_path / "m" / "llama.gguf").read_bytes() == WEIGHTS
    assert len(blobs(shelf)) == 2
    assert pull(gati, shelf, tmp_path / "m").status == 0
    assert blobs(shelf) == []


def test_pieces_become_one_file_and_do_so_once(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(*pieces(3), modelFile="llama.gguf.part1")
    folder = tmp_path / "m"
    assert pull(gati, shelf, folder).status == 0
    assert (folder / "llama.gguf").read_bytes() == WEIGHTS
    assert sorted(path.name for path in folder.iterdir()) == ["gati-model.json", "llama.gguf"]
    assert len(blobs(shelf)) == 3
    assert pull(gati, shelf, folder).status == 0
    assert blobs(shelf) == []
    assert pull(gati, shelf, folder, "--no-join").status == 0
    assert (folder / "llama.gguf.part2").is_file()


def test_shards_that_are_files_stay_side_by_side(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    shelf.put(
        *[
            (name, f"{MODEL}.safetensors.v1", name.encode(), {"dev.gati.model.shard": f"{number}/2"})
            for number, name in enumerate(names, 1)
        ],
        modelFile=names[0],
    )
    assert pull(gati, shelf, tmp_path / "m").status == 0
    assert [(tmp_path / "m" / name).read_text() for name in names] == names
    assert pull(gati, shelf, tmp_path / "j", "--join").status == 0
    assert (tmp_path / "j" / "model.safetensors").read_text() == "".join(names)


def test_what_came_before_a_stop_is_not_fetched_again(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(weights(), weights("other.gguf", b"other"))
    broken = f"/v2/{NAME}/blobs/{digest(b'other')}"
    shelf.answers.append(("GET", broken, Told(403, {"code": "DENIED", "message": "Not now."})))
    assert pull(gati, shelf, tmp_path / "m").status == 6
    assert not (tmp_path / "m" / "other.gguf").exists()
    shelf.paths()
    (tmp_path / "m" / "llama.gguf").write_bytes(WEIGHTS)
    assert pull(gati, shelf, tmp_path / "m").status == 0
    assert blobs(shelf) == [broken]


def test_bytes_that_are_not_what_they_should_be_never_have_the_name(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(weights())
    shelf.blobs[digest(WEIGHTS)] = b"poison!" * 1000
    assert pull(gati, shelf, tmp_path / "m").status == 4
    assert not (tmp_path / "m" / "llama.gguf").exists()


def test_another_file_of_the_name_is_kept(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(weights())
    (tmp_path / "llama.gguf").write_text("mine")
    ended = pull(gati, shelf, tmp_path)
    assert ended.status == 7
    assert "is there, and is another file" in ended.err
    assert (tmp_path / "llama.gguf").read_text() == "mine"
    assert pull(gati, shelf, tmp_path, "--force").status == 0
    assert (tmp_path / "llama.gguf").read_bytes() == WEIGHTS


@pytest.mark.parametrize("title", ["../evil", "/etc/evil", "a\\b", ".."])
def test_a_name_that_leads_elsewhere_is_refused(gati: Gati, shelf: Shelf, tmp_path: Path, title: str) -> None:
    shelf.put(weights(title))
    assert pull(gati, shelf, tmp_path / "m").status == 4
    assert not (tmp_path / "m").exists()


def test_a_missing_piece_is_told(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(*pieces(3)[1:], modelFile="llama.gguf.part1")
    ended = pull(gati, shelf, tmp_path / "m")
    assert ended.status == 4
    assert "lacks a shard" in ended.err


def test_what_is_no_model_is_fetched_otherwise(gati: Gati, shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish(NAME, "1.0.0", tags=["latest"])
    shelf.artifacts[NAME][-1]["repository"] = NAME
    ended = pull(gati, shelf, tmp_path / "m")
    assert ended.status == 1
    assert "gati module install" in ended.err


def test_a_card_is_markdown_for_files_and_a_document_for_programs(gati: Gati, shelf: Shelf) -> None:
    shelf.put(weights())
    words = ("model", "card", NAME, "--registry", shelf.url)
    path = f"/v1/artifacts/users~alice/llama/{written(shelf)}/benchmarks"
    shelf.answers += [("GET", path, Told(200, BENCHMARKS))] * 2
    text = gati(*words, "--markdown").out
    assert text.startswith("# users/alice/llama 1.0.0\n")
    assert "| Dataset | tiny \\| \\`tale\\` |" in text
    assert "| Accuracy | 91.3% |" in text
    assert "| Time of an inference | 12ms |" in text
    assert "````\nprint('```')\n````" in text
    assert "## Limitations\n\nEnglish only" in text
    assert gati(*words, "--json").document["benchmarks"] == BENCHMARKS


def written(shelf: Shelf) -> str:
    """The digest of the model, as a path has it."""
    return str(shelf.artifacts[NAME][0]["digest"]).replace(":", "%3A")


def test_markup_in_a_card_stays_what_it_is() -> None:
    release = {"repository": "users/a/b", "version": "1", "description": "<script>\x1b[2J # x"}
    text = markdown(release, {"dataset": "[x](javascript:y)"}, {})
    assert "\\<script\\>" in text
    assert "\\[x\\](javascript:y)" in text


@pytest.mark.parametrize(
    ("name", "joined"),
    [
        ("llama.gguf.part1", "llama.gguf"),
        ("llama.gguf.part-001", "llama.gguf"),
        ("model-00001-of-00003.gguf", "model.gguf"),
        ("llama.gguf.001", "llama.gguf"),
        ("llama-3.1.gguf", "llama-3.1.gguf"),
        ("v1.gguf", "v1.gguf"),
    ],
)
def test_the_name_of_the_whole_is_that_without_a_number(name: str, joined: str) -> None:
    assert model_pulls.Model("users/a/b", "1.0.0", "sha256:", (), name).joined == joined
