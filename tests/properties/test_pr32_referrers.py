import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import EMPTY, OCI_MANIFEST, digest, image, push_blob, push_manifest

TYPES = ("application/vnd.a", "application/vnd.b")


async def listed(client: httpx.AsyncClient, url: str) -> list[str]:
    """Digests over all pages."""
    found: list[str] = []
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200
        found += [item["digest"] for item in answer.json()["manifests"]]
        url = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    return found


# Feature: gati-registry, Property 32: Referrers are the manifests with that subject
@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pushes=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(TYPES), st.integers(0, 9)), max_size=6),
    page=st.integers(1, 3),
)
async def test_referrers_are_exactly_what_names_the_subject(
    client: httpx.AsyncClient, pushes: list[tuple[int, str, int]], page: int
) -> None:
    """The filter is exact, the union of the pages is the whole, and nothing stands twice."""
    name = f"pr32/{uuid.uuid4().hex}"
    await push_blob(client, name, EMPTY)
    subjects = [image(annotations={"n": str(n)}) for n in range(2)]
    model: dict[int, dict[str, str]] = {0: {}, 1: {}}
    for which, kind, number in pushes:
        subject = {"mediaType": OCI_MANIFEST, "digest": digest(subjects[which]), "size": len(subjects[which])}
        raw = image(subject=subject, artifactType=kind, annotations={"number": str(number)})
        assert (await push_manifest(client, name, raw, digest(raw))).headers["oci-subject"] == subject["digest"]
        model[which][digest(raw)] = kind
    for which, held in model.items():
        base = f"/v2/{name}/referrers/{digest(subjects[which])}"
        assert sorted(await listed(client, f"{base}?n={page}")) == sorted(held)
        for kind in TYPES:
            wanted = sorted(named for named, its in held.items() if its == kind)
            assert sorted(await listed(client, f"{base}?n={page}&artifactType={kind}")) == wanted
