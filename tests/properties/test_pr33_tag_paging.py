import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import EMPTY, digest, image, push_blob

TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,8}", fullmatch=True)


# Feature: gati-registry, Property 33: Tag listing is sorted and paged without gaps
@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(tags=st.sets(TAG, min_size=1, max_size=12), page=st.integers(1, 5), last=TAG)
async def test_pages_of_tags_cover_everything_once_in_order(
    client: httpx.AsyncClient, tags: set[str], page: int, last: str
) -> None:
    """Bytewise order; `last` need not be a tag; Link leads through all pages."""
    name = f"pr33/{uuid.uuid4().hex}"
    await push_blob(client, name, EMPTY)
    raw = image()
    answer = await client.put(
        f"/v2/{name}/manifests/{digest(raw)}",
        params=[("tag", tag) for tag in tags],
        content=raw,
        headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
    )
    assert sorted(answer.headers.get_list("oci-tag")) == sorted(tags)
    found: list[str] = []
    url = f"/v2/{name}/tags/list?n={page}"
    while url:
        listing = await client.get(url)
        assert len(listing.json()["tags"]) <= page
        found += listing.json()["tags"]
        url = str(listing.links["next"]["url"]) if "next" in listing.links else ""
    assert found == sorted(tags)
    after = await client.get(f"/v2/{name}/tags/list", params={"last": last})
    assert after.json()["tags"] == sorted(tag for tag in tags if tag > last)
