"""The same registry and model, with several actions at once."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from registry.content.jobs import sweep
from tests.properties.machine import BLOBS, OCI_INDEX, OCI_MANIFEST, REPOS, TAGS, Registry, describe, digest

EMPTY = b"{}"


def image(layer: bytes) -> bytes:
    """An image of one layer."""
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(EMPTY, "application/vnd.test")}
    return json.dumps(body | {"layers": [describe(layer, "application/vnd.test")]}).encode()


def index(layer: bytes) -> bytes:
    """An index of that image."""
    entry = describe(image(layer), OCI_MANIFEST)
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()


RAWS = [make(layer) for make in (image, index) for layer in BLOBS]


@dataclass(slots=True)
class Outcome:
    """What the answers of one batch say: what was acknowledged as there, and what as removed.

    A client that asks to remove a blob notes that before the answer: others may miss it from then on.
    """

    later: bool
    asked: set[tuple[str, str]] = field(default_factory=set)
    pushed: set[tuple[str, str]] = field(default_factory=set)
    removed: set[tuple[str, str]] = field(default_factory=set)
    tagged: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    untagged: set[tuple[str, str]] = field(default_factory=set)


REPO, BLOB, TAG = st.sampled_from(REPOS), st.sampled_from(BLOBS), st.sampled_from(TAGS)
PUSHES, REMOVALS = ("image", "bare", "bare", "index", "blob", "mount"), ("blob", "image", "index", "tag")
ACTIONS = (*PUSHES, *(f"delete_{what}" for what in REMOVALS), "sweep", "sweep")
ACTION = st.tuples(st.sampled_from(ACTIONS), REPO, BLOB, TAG)


class Busy(Registry):
    """After a batch, what nobody removed and somebody holds is there; where answers contradict, either may hold."""

    @rule(actions=st.lists(ACTION, min_size=2, max_size=8), later=st.booleans())
    def together(self, actions: list[tuple[str, str, bytes, str]], later: bool) -> None:
        """Some of it long after the last batch: then former children and unreferenced blobs may go."""
        outcome = Outcome(later)
        if later:
            self.run(self.set_due("clock_timestamp()"))
        self.run(self.gather(outcome, actions))
        self.run(self.set_due("clock_timestamp() + interval '1 hour'"))
        self.settle_manifests(outcome)
        self.settle_blobs(outcome)
        self.settle_tags(outcome)

    async def set_due(self, when: str) -> None:
        async with self.app.shelf().db.connection() as connection:
            for table, column in (("review", "due"), ("uploads", "expires_at"), ("doomed", "due")):
                await connection.execute(f"UPDATE {table} SET {column} = {when}")
            await connection.execute("UPDATE manifests SET pushed_at = pushed_at - interval '2 days', pulled_at = NULL")

    async def gather(self, outcome: Outcome, actions: list[tuple[str, str, bytes, str]]) -> None:
        """Everything at once."""
        doing = [getattr(self, f"do_{name}")(outcome, repo, content, tag) for name, repo, content, tag in actions]
        await asyncio.gather(*doing)

    def settle_manifests(self, outcome: Outcome) -> None:
        """What was pushed is there, what was removed is not; a former child may have gone."""
        before = set(self.manifests)
        for repo in REPOS:
            for raw in {*RAWS, *self.manifests.values()}:
                key = (repo, digest(raw))
                there = self.run(self.client.head(f"/v2/{repo}/manifests/{key[1]}")).status_code == 200
                if key not in outcome.pushed & outcome.removed:
                    may_go = outcome.later and key in self.indexed
                    wanted = key in outcome.pushed or (key in before - outcome.removed and not (may_go and not there))
                    assert there == wanted, (key, outcome)
                self.manifests.pop(key, None)
                if there:
                    self.manifests[key] = raw

    def settle_blobs(self, outcome: Outcome) -> None:
        """The same; what a manifest holds is there in any case, what nothing holds may have gone."""
        for repo in REPOS:
            held = self.held(repo)
            for content in BLOBS:
                key, was = (repo, digest(content)), (repo, content) in self.links
                answer = self.run(self.client.get(f"/v2/{repo}/blobs/{key[1]}"))
                there = answer.status_code == 200
                assert there or key[1] not in held, (key, outcome)
                assert there or key in outcome.removed or key not in outcome.pushed, (key, outcome)
                assert there or key in outcome.removed or not was or outcome.later, (key, outcome)
                assert not there or was or key in outcome.pushed, (key, outcome)
                self.links.discard((repo, content))
                if there:
                    self.links.add((repo, content))

    def settle_tags(self, outcome: Outcome) -> None:
        """A tag names what was pushed to it last, unless it or its manifest was removed."""
        for key in [(repo, tag) for repo in REPOS for tag in TAGS]:
            answer = self.run(self.client.head(f"/v2/{key[0]}/manifests/{key[1]}"))
            now = answer.headers.get("docker-content-digest") if answer.status_code == 200 else None
            old, pushed = self.tags.pop(key, None), outcome.tagged.get(key, set())
            named = pushed | ({old} if old else set())
            gone = key in outcome.untagged or any((key[0], one) in outcome.removed for one in named)
            allowed: set[str | None] = {*pushed} if pushed else {old}
            assert now in allowed | ({None, *named} if gone else set()), (key, outcome)
            if now is not None:
                assert (key[0], now) in self.manifests
                self.tags[key] = now

    async def do_blob(self, outcome: Outcome, repo: str, content: bytes, _: str) -> None:
        place = (await self.client.post(f"/v2/{repo}/blobs/uploads/")).headers["location"]
        answer = await self.client.put(place, params={"digest": digest(content)}, content=content)
        assert answer.status_code == 201, answer.text
        outcome.pushed.add((repo, digest(content)))

    async def do_mount(self, outcome: Outcome, repo: str, content: bytes, _: str) -> None:
        answer = await self.client.post(f"/v2/{repo}/blobs/uploads/", params={"mount": digest(content)})
        assert answer.status_code in {201, 202}
        if answer.status_code == 201:
            outcome.pushed.add((repo, digest(content)))

    async def do_image(self, outcome: Outcome, repo: str, content: bytes, tag: str) -> None:
        """As clients do: look for each blob, push what is not there, then the manifest."""
        for blob in (EMPTY, content):
            if (await self.client.head(f"/v2/{repo}/blobs/{digest(blob)}")).status_code == 404:
                await self.do_blob(outcome, repo, blob, tag)
        await self.put_manifest(outcome, repo, tag, image(content))

    async def do_bare(self, outcome: Outcome, repo: str, content: bytes, tag: str) -> None:
        """A manifest over blobs that its client looked for long ago: taken or refused, never taken and then broken."""
        await self.put_manifest(outcome, repo, tag, image(content), bare=True)

    async def do_index(self, outcome: Outcome, repo: str, content: bytes, tag: str) -> None:
        await self.put_manifest(outcome, repo, tag, index(content), bare=True)

    async def put_manifest(self, outcome: Outcome, repo: str, tag: str, raw: bytes, *, bare: bool = False) -> None:
        headers = {"Content-Type": json.loads(raw)["mediaType"]}
        answer = await self.client.put(f"/v2/{repo}/manifests/{tag}", content=raw, headers=headers)
        if answer.status_code == 201:
            outcome.pushed.add((repo, digest(raw)))
            outcome.tagged.setdefault((repo, tag), set()).add(digest(raw))
            self.note_children(repo, raw)
            return
        assert answer.status_code == 400, answer.text
        for named in answer.json()["errors"][0]["detail"]["digests"]:
            assert bare or (repo, named) in outcome.asked, outcome

    async def do_delete_blob(self, outcome: Outcome, repo: str, content: bytes, _: str) -> None:
        await self.remove(outcome, repo, f"blobs/{digest(content)}", digest(content))

    async def do_delete_image(self, outcome: Outcome, repo: str, content: bytes, _: str) -> None:
        await self.remove(outcome, repo, f"manifests/{digest(image(content))}", digest(image(content)))

    async def do_delete_index(self, outcome: Outcome, repo: str, content: bytes, _: str) -> None:
        await self.remove(outcome, repo, f"manifests/{digest(index(content))}", digest(index(content)))

    async def remove(self, outcome: Outcome, repo: str, path: str, named: str) -> None:
        outcome.asked.add((repo, named))
        answer = await self.client.delete(f"/v2/{repo}/{path}")
        assert answer.status_code in {202, 404, 405}, answer.text
        if answer.status_code == 202:
            outcome.removed.add((repo, named))

    async def do_delete_tag(self, outcome: Outcome, repo: str, _: bytes, tag: str) -> None:
        answer = await self.client.delete(f"/v2/{repo}/manifests/{tag}")
        assert answer.status_code in {202, 404}, answer.text
        if answer.status_code == 202:
            outcome.untagged.add((repo, tag))

    async def do_sweep(self, _: Outcome, __: str, ___: bytes, ____: str) -> None:
        await sweep(self.app.shelf(), timedelta())
