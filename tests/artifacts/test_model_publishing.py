import copy
import itertools
import json
import struct
from typing import Any

import httpx
import pytest

from registry.artifacts.jobs import publish_next
from tests.artifacts import weight_files
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, state
from tests.content.spaces import fetch

FILES = weight_files.all_formats()


def model(name: str, declared: str, content: bytes) -> Artifact:
    """A model that says its weights are of a format."""
    plain = Artifact(f"users/alice/{name}", kind="model")
    config: dict[str, Any] = copy.deepcopy(dict(plain.row.example["config"]))
    config |= {"modelFormat": declared, "modelFile": "weights"}
    media_type = weight_files.MEDIA_TYPES[declared]
    return Artifact(plain.name, kind="model", more={"config": config}, layers=(("weights", media_type, content),))


def safetensors(length: int, given: int) -> bytes:
    """Weights that say they have `length` bytes, and have `given`."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes(given)


async def test_a_model_of_another_format_than_it_says_is_never_published(client: httpx.AsyncClient, shelf: Any) -> None:
    for place, (declared, true) in enumerate(itertools.product(FILES, FILES)):
        artifact = model(f"m{place}", declared, FILES[true])
        await push_parts(client, artifact)
        answer = await put(client, artifact)
        if declared == true:
            assert answer.status_code == 201, (declared, answer.text)
            assert await state(shelf, artifact) == "published"
            continue
        while await publish_next(shelf):
            continue
        assert await state(shelf, artifact) in {None, "rejected"}, (declared, true)
        if answer.status_code != 201:
            assert reason(answer)[:2] == (422, "MODEL_FORMAT_MISMATCH"), (declared, true)


@pytest.mark.parametrize(("given", "expected"), [(300_000, "published"), (299_999, None), (300_001, None)])
async def test_large_weights_are_of_the_length_that_they_say(
    client: httpx.AsyncClient, shelf: Any, given: int, expected: str | None
) -> None:
    artifact = model("large", "safetensors", safetensors(300_000, given))
    await push_parts(client, artifact)
    answer = await put(client, artifact)
    while await publish_next(shelf):
        continue
    assert await state(shelf, artifact) in {expected, "rejected" if expected is None else expected}
    assert (answer.status_code == 201) or reason(answer)[1] == "MODEL_FORMAT_MISMATCH"


async def test_a_model_without_a_card_waits_for_the_referrer_with_it(client: httpx.AsyncClient, shelf: Any) -> None:
    whole = Artifact("users/alice/cardless", kind="model")
    document = {key: value for key, value in whole.row.example.items() if key != "modelCard"}
    bare = Bare(whole.name, kind="model", more=document)
    await publish(client, bare)
    assert await publish_next(shelf)
    told = json.loads(await fetch(shelf, "SELECT reason::text FROM releases"))
    assert (await state(shelf, bare), told["reason"]) == ("received", "REFERRER_MISSING")
    assert told["missing"] == ["application/vnd.gati.model.card.v1"]


class Bare(Artifact):
    """An artifact whose Gati manifest has the given members alone."""

    @property
    def config(self) -> bytes:
        """Its Gati manifest."""
        named = {"name": self.name.rpartition("/")[2], "version": self.version}
        return json.dumps(dict(self.more) | named).encode()
