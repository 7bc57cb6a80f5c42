"""A registry and a model of it in memory: pushes, tags, mounts, deletes, crashes and sweeps in any order."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from registry.app import Application
from registry.config import load
from registry.content import sql_manifests, sql_uploads
from registry.content.fsck import compare
from registry.content.jobs import sweep
from registry.infra.http.boundary import Boundary
from registry.infra.storage.directory import DirectoryStore
from tests.conftest import empty_database
from tests.content.faults import Action, lost_after, lost_before

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
REPOS = ("a", "b")
BLOBS = (b"{}", b"one", b"two", b"three")
TAGS = ("x", "y")
STEPS = (
    (sql_uploads, "start"),
    (sql_uploads, "advance"),
    (sql_uploads, "finishing"),
    (DirectoryStore, "seal"),
    (sql_uploads, "finish"),
    (sql_manifests, "push"),
)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def describe(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


class Registry(RuleBasedStateMachine):
    """The model: links, manifests, tags. What it holds must be there; the rest must go in the end."""

    environ: dict[str, str]
    manifests_made = Bundle("manifests_made")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.links: set[tuple[str, bytes]] = set()
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.indexed: set[tuple[str, str]] = set()
        self.run(self.start(empty=True))

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def start(self, *, empty: bool) -> None:
        if empty:
            await empty_database(self.environ["DATABASE_URL"])
            shutil.rmtree(self.environ["GATI_DATA_DIR"], ignore_errors=True)
        self.app = Application(load(self.environ))
        self.life = self.app.lifespan()
        await self.life.__aenter__()
        transport = httpx.ASGITransport(Boundary(self.app), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def stop(self) -> None:
        await self.client.aclose()
        await self.life.__aexit__(None, None, None)

    @rule(repo=st.sampled_from(REPOS), content=st.sampled_from(BLOBS), cut=st.integers(0, 5))
    def push_blob(self, repo: str, content: bytes, cut: int) -> None:
        place = self.run(self.client.post(f"/v2/{repo}/blobs/uploads/")).headers["location"]
        self.run(self.client.patch(place, content=content[:cut]))
        answer = self.run(self.client.put(place, params={"digest": digest(content)}, content=content[cut:]))
        assert answer.status_code == 201
        self.links.add((repo, content))

    @rule(repo=st.sampled_from(REPOS))
    def abandon_upload(self, repo: str) -> None:
        place = self.run(self.client.post(f"/v2/{repo}/blobs/uploads/")).headers["location"]
        assert self.run(self.client.patch(place, content=b"half")).status_code == 202

    @rule(source=st.sampled_from(REPOS), repo=st.sampled_from(REPOS), content=st.sampled_from(BLOBS))
    def mount(self, source: str, repo: str, content: bytes) -> None:
        query = {"mount": digest(content), "from": source}
        answer = self.run(self.client.post(f"/v2/{repo}/blobs/uploads/", params=query))
        if (source, content) in self.links:
            assert answer.status_code == 201
        if answer.status_code == 201:
            self.links.add((repo, content))

    @rule(target=manifests_made, repo=st.sampled_from(REPOS), layer=st.sampled_from(BLOBS), tag=st.sampled_from(TAGS))
    def push_image(self, repo: str, layer: bytes, tag: str) -> str:
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(b"{}", "application/vnd.test")}
        raw = json.dumps(body | {"layers": [describe(layer, "application/vnd.test")]}).encode()
        complete = {(repo, b"{}"), (repo, layer)} <= self.links
        return self.put(repo, tag, raw, OCI_MANIFEST, complete=complete)

    @rule(target=manifests_made, repo=st.sampled_from(REPOS), child=manifests_made, tag=st.sampled_from(TAGS))
    def push_index(self, repo: str, child: str, tag: str) -> str:
        held = self.manifests.get((repo, child))
        if held is None:
            return child
        entry = {"mediaType": json.loads(held)["mediaType"], "digest": child, "size": len(held)}
        raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
        return self.put(repo, tag, raw, OCI_INDEX, complete=True)

    def put(self, repo: str, tag: str, raw: bytes, media_type: str, *, complete: bool) -> str:
        headers = {"Content-Type": media_type}
        answer = self.run(self.client.put(f"/v2/{repo}/manifests/{tag}", content=raw, headers=headers))
        if complete:
            assert answer.status_code == 201, answer.text
        if answer.status_code == 201:
            self.manifests[repo, digest(raw)] = raw
            self.tags[repo, tag] = digest(raw)
            self.note_children(repo, raw)
        return digest(raw)

    def note_children(self, repo: str, raw: bytes) -> None:
        """Once part of an index, a manifest may go some time after the index."""
        self.indexed |= {(repo, entry["digest"]) for entry in json.loads(raw).get("manifests", ())}

    @rule(repo=st.sampled_from(REPOS), tag=st.sampled_from(TAGS))
    def delete_tag(self, repo: str, tag: str) -> None:
        answer = self.run(self.client.delete(f"/v2/{repo}/manifests/{tag}"))
        assert (answer.status_code == 202) == ((repo, tag) in self.tags)
        self.tags.pop((repo, tag), None)

    @rule(repo=st.sampled_from(REPOS), named=manifests_made)
    def delete_manifest(self, repo: str, named: str) -> None:
        answer = self.run(self.client.delete(f"/v2/{repo}/manifests/{named}"))
        if (repo, named) not in self.manifests:
            assert answer.status_code == 404
        elif named in self.held(repo):
            assert answer.status_code == 405
        else:
            assert answer.status_code == 202
            self.tags = {key: value for key, value in self.tags.items() if (key[0], value) != (repo, named)}
            del self.manifests[repo, named]

    @rule()
    def sweep_within_grace(self) -> None:
        self.run(sweep(self.app.shelf()))

    @rule()
    def restart(self) -> None:
        self.run(self.stop())
        self.run(self.start(empty=False))

    def crash(self) -> None:
        """End without a chance to tidy up; what the database had not committed is rolled back."""
        for connection in self.app.shelf().db._pool._all:
            connection.terminate()
        self.restart()

    @rule(
        target=manifests_made,
        repo=st.sampled_from(REPOS),
        layer=st.sampled_from(BLOBS),
        step=st.sampled_from(STEPS),
        lose=st.sampled_from([lost_before, lost_after]),
    )
    def crash_during_a_push(
        self, repo: str, layer: bytes, step: tuple[Any, str], lose: Callable[[Action], Action]
    ) -> str:
        """At any step, done or not; the client goes on where it was, as soon as the registry is back."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*step, lose(getattr(*step)))
            for content in (b"{}", layer):
                self.insist(repo, content)
                self.links.add((repo, content))
            body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(b"{}", "application/vnd.test")}
            raw = json.dumps(body | {"layers": [describe(layer, "application/vnd.test")]}).encode()
            path, headers = f"/v2/{repo}/manifests/{digest(raw)}", {"Content-Type": OCI_MANIFEST}
            assert self.sure("PUT", path, content=raw, headers=headers).status_code == 201
        self.manifests[repo, digest(raw)] = raw
        return digest(raw)

    def sure(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, or after a crash the answer to the same request again."""
        answer: httpx.Response = self.run(self.client.request(method, path, **request))
        if answer.status_code >= 500:
            self.crash()
            answer = self.run(self.client.request(method, path, **request))
        return answer

    def insist(self, repo: str, content: bytes) -> None:
        """Upload in a chunk and a final PUT; whatever comes between, from the offset that the session tells."""
        place = self.sure("POST", f"/v2/{repo}/blobs/uploads/").headers["location"]
        first = self.run(self.client.patch(place, content=content))
        if first.status_code != 202:
            self.crash()
            held = self.run(self.client.get(place)).headers["range"] == f"0-{len(content) - 1}"
            assert held or self.run(self.client.patch(place, content=content)).status_code == 202
        assert self.sure("PUT", place, params={"digest": digest(content)}).status_code == 201

    @rule()
    def sweep_after_grace(self) -> None:
        """All reviews and expiries fall due: unreferenced links go, references keep theirs; former children go."""
        self.run(self.pass_time())
        for repo in REPOS:
            for content in BLOBS:
                if digest(content) not in self.held(repo):
                    self.links.discard((repo, content))
            for named in [named for where, named in self.manifests if where == repo]:
                answer = self.run(self.client.head(f"/v2/{repo}/manifests/{named}"))
                if answer.status_code == 404:
                    assert named not in self.held(repo)
                    assert named not in [value for (where, _), value in self.tags.items() if where == repo]
                    del self.manifests[repo, named]
        self.run(self.pass_time())
        for repo in REPOS:
            for content in BLOBS:
                if digest(content) not in self.held(repo):
                    self.links.discard((repo, content))

    async def pass_time(self) -> None:
        for _ in range(3):
            async with self.app.shelf().db.connection() as connection:
                await connection.execute("UPDATE review SET due = clock_timestamp()")
                await connection.execute("UPDATE uploads SET expires_at = clock_timestamp()")
                await connection.execute("UPDATE doomed SET due = clock_timestamp()")
                await connection.execute(
                    "UPDATE manifests SET pushed_at = pushed_at - interval '2 days', pulled_at = NULL"
                )
            await sweep(self.app.shelf(), timedelta())

    def held(self, repo: str) -> set[str]:
        found: set[str] = set()
        for (where, _), raw in self.manifests.items():
            if where == repo:
                body = json.loads(raw)
                parts = body.get("manifests") or [body["config"], *body["layers"]]
                found |= {part["digest"] for part in parts}
        return found

    @invariant()
    def nothing_reachable_is_gone(self) -> None:
        for repo, content in getattr(self, "links", ()):
            answer = self.run(self.client.get(f"/v2/{repo}/blobs/{digest(content)}"))
            assert (answer.status_code, answer.content) == (200, content)
        for (repo, named), raw in getattr(self, "manifests", {}).items():
            assert self.run(self.client.get(f"/v2/{repo}/manifests/{named}")).content == raw
        for (repo, tag), named in getattr(self, "tags", {}).items():
            answer = self.run(self.client.head(f"/v2/{repo}/manifests/{tag}"))
            assert answer.headers["docker-content-digest"] == named

    def teardown(self) -> None:
        """In the end all garbage has gone, and one object is left for each digest."""
        if not hasattr(self, "loop"):
            return
        try:
            self.sweep_after_grace()
            found = self.run(compare(self.app.shelf(), rehash=True))
            assert (found.is_clean, found.stray) == (True, [])
            wanted = {digest(content) for _, content in self.links}
            objects = [key for key, *_ in list(self.app.shelf().store.keys())]
            assert len(wanted) == found.blobs
            assert len(objects) <= len(wanted) if self.environ["SMALL_BLOB"] != "0" else len(objects) == len(wanted)
        finally:
            self.run(self.stop())
            self.loop.close()
