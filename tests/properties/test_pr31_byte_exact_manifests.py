import json
import uuid
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import EMPTY, digest, image, push_blob, push_manifest

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


# Feature: gati-registry, Property 31: OCI manifests are stored byte-exact
@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    unknown=st.dictionaries(st.text(min_size=1).map("x-".__add__), JSON, max_size=4),
    indent=st.sampled_from([None, 1, "\t"]),
    ascii_only=st.booleans(),
    algorithm=st.sampled_from(["sha256", "sha512"]),
    tail=st.sampled_from([b"", b"\n", b" \r\n\t"]),
)
async def test_a_manifest_comes_back_byte_for_byte(
    client: httpx.AsyncClient, unknown: dict[str, Any], indent: Any, ascii_only: bool, algorithm: str, tail: bytes
) -> None:
    """Unknown members, white space and escapes included; its digest is that of the bytes."""
    name = f"pr31/{uuid.uuid4().hex}"
    await push_blob(client, name, EMPTY)
    body = json.loads(image()) | unknown
    raw = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode() + tail
    answer = await push_manifest(client, name, raw, digest(raw, algorithm))
    assert answer.status_code == 201
    found = await client.get(f"/v2/{name}/manifests/{digest(raw, algorithm)}")
    assert found.content == raw
    assert found.headers["docker-content-digest"] == digest(found.content, algorithm)
