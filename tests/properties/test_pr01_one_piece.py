"""Upload integrity, of artifacts that are sent in one piece."""

import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import digest
from tests.web.layouts import Piece, packed

PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


# Feature: gati-registry, Property 1: Upload integrity
@pytest.mark.timeout(300)
@PROPERTY
@given(
    text=st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Co", "Cn")), max_size=300),
    times=st.sampled_from([1, 1, 1, 400]),
    mode=st.sampled_from(["w", "w:gz"]),
    wrong=st.sampled_from([None, None, "header", "blob", "cut"]),
    asked=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
)
async def test_an_artifact_in_one_piece_comes_back_as_it_went_in_or_leaves_nothing(
    client: httpx.AsyncClient, text: str, times: int, mode: str, wrong: str | None, asked: tuple[int, int]
) -> None:
    """Whole and by ranges; a body, or a blob in it, of another digest is refused, and so is one that was cut."""
    content, name = text.encode() * times, f"p{uuid.uuid4().hex[:20]}"
    piece = Piece(name, layers=(content,), layer_type="text/markdown")
    files = piece.files
    if wrong == "blob":
        files[f"blobs/sha256/{digest(content).partition(':')[2]}"] = content + b"\1"
    body = packed(files, mode)
    sent = body[: len(body) // 2] if wrong == "cut" else body
    named = digest(body + b"\1" if wrong == "header" else sent)
    headers = {"Content-Type": "application/x-tar", "X-Artifact-Digest": named}
    path = f"/v1/artifacts/users~pr1/{name}/1.0.0"
    answer = await client.post(path, content=sent, headers=headers)
    if wrong is not None:
        assert answer.status_code == 400, answer.text
        assert (await client.get(path)).status_code == 404
        if wrong != "cut":
            kept = await client.get(f"/v2/users/pr1/{name}/blobs/{digest(content)}")
            assert kept.status_code == 404
        return
    assert (answer.status_code, answer.json()["status"]) == (202, "completed"), answer.text
    assert (await client.get(path)).content == content
    first, last = min(asked), max(asked)
    part = await client.get(path, headers={"Range": f"bytes={first}-{last}"})
    assert part.status_code == (206 if first < len(content) else 416)
    if part.status_code == 206:
        assert part.content == content[first : last + 1]
