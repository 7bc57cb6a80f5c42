"""What a snapshot keeps of an environment, and what comes back of it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts import secrets
from registry.cli import snapshots
from registry.cli.lockfile import Lock, Locked, Piece
from registry.cli.problems import Refused, Tampered
from registry.cli.snapshots import Environment

# Feature: gati-registry, Property 19: Snapshot completeness

TYPES = ["module-node", "module-wasm", "module-oci", "plugin", "agent", "model", "template", "transformer"]
PINNED = re.compile(r"sha256:[a-f0-9]{64}")
slugs = st.sampled_from(["cache", "queue", "limits", "peers"])
digests = st.sampled_from([f"sha256:{number:064x}" for number in range(1, 40)])
versions = st.integers(0, 999).map(lambda number: f"{number // 100}.{number // 10 % 10}.{number % 10}")
repositories = st.sampled_from(
    [f"{kind}/{slug}/{name}" for kind in ("users", "orgs") for slug in "ab" for name in "xyz"]
)
pieces = st.builds(Piece, digests, st.integers(0, 1 << 40), st.just("application/wasm"), st.none() | slugs)
hidden = st.integers(0, 1 << 64).map(lambda number: f"Kx{number:020d}qT")
plain = st.booleans() | st.integers(-1000, 1000) | st.sampled_from(["info", "on", "eu-west", "a b", "", "${HOME_DIR}"])
trees = st.dictionaries(
    st.sampled_from(["level", "region", "mode", "service"]),
    plain | st.lists(plain, max_size=3) | st.dictionaries(slugs, plain | st.lists(plain, max_size=2), max_size=3),
    max_size=4,
)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """What a project has installed."""
    names = draw(st.lists(repositories, min_size=0, max_size=6, unique=True))
    found = {}
    for name in names:
        found[name] = Locked(
            name,
            draw(versions),
            draw(digests),
            draw(st.sampled_from(TYPES)),
            dict.fromkeys(draw(st.lists(st.sampled_from(names), max_size=2)), draw(st.sampled_from(["*", "^1.0.0"]))),
            draw(st.booleans()),
            None,
            tuple(draw(st.lists(pieces, max_size=2))),
            tuple(draw(st.lists(st.sampled_from(["ai:inference", "db:read"]), unique=True).map(sorted))),
            draw(st.none() | st.just(">=1.0.0")),
        )
    return Lock(draw(st.none() | st.just("https://registry.example.org")), found)


@st.composite
def environments(draw: st.DrawFn) -> tuple[Environment, list[str]]:
    """An environment, and the secrets in its configuration."""
    found: list[str] = []
    files: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(["gati.config.json", "config/app.json", "db.json"]), unique=True)):
        tree: dict[str, Any] = dict(draw(trees))
        for member in draw(st.lists(st.sampled_from(["password", "apiKey", "accessToken"]), unique=True)):
            found.append(draw(hidden))
            (tree if draw(st.booleans()) else tree.setdefault("inner", {}))[member] = found[-1]
        files[path] = tree
    gati = draw(st.none() | versions)
    return Environment(draw(locks()), files, draw(versions), "linux/amd64", gati), found


@settings(max_examples=100, deadline=None)
@given(environments(), st.sampled_from(["public", "internal", "private"]))
def test_an_environment_comes_back_as_it_was(drawn: tuple[Environment, list[str]], visibility: str) -> None:
    environment, hidden_ones = drawn
    made = snapshots.capture(environment, visibility)
    # What is sent is bytes: it is read again as one who restores it does.
    config = json.loads(json.dumps(made.config))
    back = snapshots.restore(config, made.lock)
    assert back.lock == environment.lock
    assert (back.cli_version, back.platform, back.gati_version) == (
        environment.cli_version,
        environment.platform,
        environment.gati_version,
    )
    # The only difference are secrets, which have their names in their places.
    names = {f"${{{name}}}" for name in back.secrets}
    for path, document in environment.files.items():
        assert same(document, back.files[path], names, set(hidden_ones))
    assert snapshots.capture(back, visibility).lock == made.lock
    assert json.loads(json.dumps(snapshots.capture(back, visibility).config)) == config


def same(before: Any, after: Any, names: set[str], hidden_ones: set[str]) -> bool:
    """Whether two documents are the same but for secrets."""
    match before, after:
        case dict(), dict():
            return before.keys() == after.keys() and all(same(before[k], after[k], names, hidden_ones) for k in before)
        case list(), list():
            return len(before) == len(after) and all(
                same(one, other, names, hidden_ones) for one, other in zip(before, after, strict=True)
            )
        case str(), str() if before in hidden_ones:
            return after in names
    return bool(before == after)


@settings(max_examples=100, deadline=None)
@given(environments())
def test_every_entry_is_pinned_and_no_secret_is_in_the_bytes(drawn: tuple[Environment, list[str]]) -> None:
    environment, hidden_ones = drawn
    made = snapshots.capture(environment, "private")
    entries = [entry for name in snapshots.ALL_LISTS for entry in made.config[name]]
    assert {entry["reference"] for entry in entries} == set(environment.lock.artifacts)
    assert all(PINNED.fullmatch(entry["digest"]) for entry in entries)
    raw = json.dumps(made.config).encode() + made.lock
    assert not any(secret.encode() in raw for secret in hidden_ones)
    assert secrets.find(made.config) == []
    # The document alone tells what is to be installed: a link shows nothing else.
    bare = {name: replace(one, layers=()) for name, one in environment.lock.artifacts.items()}
    assert snapshots.restore(made.config).lock == Lock(environment.lock.registry, bare)


@settings(max_examples=100, deadline=None)
@given(environments(), st.data())
def test_a_lock_of_another_environment_is_found_out(drawn: tuple[Environment, list[str]], data: st.DataObject) -> None:
    environment, _ = drawn
    made = snapshots.capture(environment, "public")
    config = json.loads(json.dumps(made.config))
    entries = [entry for name in snapshots.ALL_LISTS for entry in config[name]]
    if not entries:
        return
    changed = data.draw(st.sampled_from(entries))
    changed["digest"] = data.draw(digests.filter(lambda one: one != changed["digest"]))
    with pytest.raises(Tampered):
        snapshots.restore(config, made.lock)


@settings(max_examples=100, deadline=None)
@given(trees, hidden)
def test_what_looks_like_a_secret_in_a_text_is_refused(tree: dict[str, Any], secret: str) -> None:
    files = {"app.json": tree, "setup.sh": {"text": f"curl -d api_key={secret} https://example.org\n"}}
    with pytest.raises(Refused):
        snapshots.capture(Environment(Lock(), files, "1.0.0", "linux/amd64"), "private")
