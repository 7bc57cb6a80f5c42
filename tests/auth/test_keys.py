"""Keys are shown once, never wider than what made them, rotated without a gap and gone when they are revoked."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth import accounts, jobs, keys, refresh_tokens, sessions, signing
from registry.auth.identify import Identifier
from registry.auth.keys import NewKey
from registry.auth.model import NO_LIMITS, Limits
from registry.auth.narrowing import SCOPES, checked, narrower
from registry.auth.realm import Realm
from registry.auth.secrets import hint, parse
from registry.auth.tokens import Expected
from registry.core.errors import Conflict, CredentialRevoked, Denied, NotFound, Unprocessable
from tests.auth.desk import PASSWORD, SOMEBODY, Desk, nothing_tells
from tests.auth.people import HOME, NOW, Clock, bearer

HOUR = timedelta(hours=1)
NARROW = Limits("publish", frozenset({1, 2}), frozenset({10, 11}), ("10.0.0.0/8", "2001:db8::/32"))


async def test_a_key_is_shown_once_and_listed_by_its_first_characters(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    made, secret = await keys.create(realm, await desk.by(ann), NewKey(ann, " laptop ", NARROW))
    assert parse(secret) == "key"
    assert (made.name, made.hint, made.limits) == ("laptop", hint(secret), NARROW)
    assert await desk.is_good(secret)
    assert await keys.page(realm, ann) == [made]
    assert secret not in repr(made)
    assert (await desk.actions(ann))[-1] == "key.created"


async def test_lists_of_keys_go_on_where_they_stopped_and_show_the_last_use(realm: Realm, desk: Desk) -> None:
    ann, by = await desk.person(), None
    by = await desk.by(ann)
    made = [(await keys.create(realm, by, NewKey(ann, f"k{n}")))[0].id for n in range(5)]
    await desk.run("UPDATE credentials SET last_used_at = $2, last_used_from = '192.0.2.7' WHERE id = $1", made[0], NOW)
    first = await keys.page(realm, ann, 0, 3)
    rest = await keys.page(realm, ann, first[-1].id, 3)
    assert [one.id for one in first + rest] == made
    assert (first[0].last_used_at, first[0].last_used_from) == (NOW, "192.0.2.7")


async def test_a_persons_key_ends_after_90_days_unless_it_is_said_and_a_robots_never(realm: Realm, desk: Desk) -> None:
    ann, robot = await desk.person(), await desk.robot()
    by = await desk.by(ann)
    assert (await keys.create(realm, by, NewKey(ann, "a")))[0].expires_at == NOW + timedelta(days=90)
    stated = NOW + timedelta(days=3650)
    assert (await keys.create(realm, by, NewKey(ann, "a", expires_at=stated)))[0].expires_at == stated
    key, secret = await keys.create(realm, by, NewKey(robot, "ci"))
    assert (key.expires_at, parse(secret)) == (None, "robot")


@pytest.mark.parametrize(
    "odd",
    [
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "two\nlines"},
        {"limits": Limits("owner")},
        {"limits": Limits(namespaces=frozenset())},
        {"limits": Limits(repositories=frozenset(range(101)))},
        {"limits": Limits(addresses=("10.0.0.1/8",))},
        {"limits": Limits(addresses=("everywhere",))},
        {"expires_at": NOW},
        {"expires_at": NOW + timedelta(days=3660)},
    ],
)
async def test_a_key_that_cannot_be_is_refused(realm: Realm, desk: Desk, odd: dict[str, Any]) -> None:
    ann = await desk.person()
    with pytest.raises(Unprocessable):
        await keys.create(realm, await desk.by(ann), replace(NewKey(ann, "k"), **odd))
    assert await keys.page(realm, ann) == []


async def test_an_account_has_at_most_100_keys_also_when_they_are_made_at_once(
    realm: Realm, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST", 3)
    ann = await desk.person()
    by = await desk.by(ann)
    done: list[Any] = await asyncio.gather(
        *(keys.create(realm, by, NewKey(ann, "k")) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Conflict", "tuple", "tuple", "tuple"]
    await keys.revoke(realm, by, ann, (await keys.page(realm, ann))[0].id)
    await keys.create(realm, by, NewKey(ann, "k"))


async def test_no_key_is_made_for_an_account_that_is_suspended(realm: Realm, desk: Desk) -> None:
    ann, bea = await desk.person(), await desk.person()
    await accounts.suspend(realm, SOMEBODY, ann)
    with pytest.raises(Conflict, match="suspended"):
        await keys.create(realm, await desk.by(bea), NewKey(ann, "k"))


@pytest.mark.parametrize(
    "asked",
    [
        NO_LIMITS,
        replace(NARROW, scope=None),
        replace(NARROW, scope="admin"),
        replace(NARROW, namespaces=None),
        replace(NARROW, namespaces=frozenset({1, 3})),
        replace(NARROW, repositories=None),
        replace(NARROW, repositories=frozenset({12})),
        replace(NARROW, addresses=None),
        replace(NARROW, addresses=("0.0.0.0/0",)),
        replace(NARROW, addresses=("10.0.0.0/8", "192.0.2.0/24")),
        replace(NARROW, addresses=("::/0",)),
    ],
)
async def test_a_key_makes_no_wider_key(realm: Realm, desk: Desk, asked: Limits) -> None:
    ann = await desk.person()
    mine, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "narrow", NARROW))
    with pytest.raises(Denied, match=r"^This key .*\.$"):
        await keys.create(realm, await desk.by(ann, mine.id), NewKey(ann, "wide", asked))
    assert [one.name for one in await keys.page(realm, ann)] == ["narrow"]


async def test_a_key_makes_a_narrower_key_that_ends_no_later_and_goes_with_it(realm: Realm, desk: Desk) -> None:
    ann, robot = await desk.person(), await desk.robot()
    mine, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "narrow", NARROW, NOW + HOUR))
    by = await desk.by(ann, mine.id)
    within = Limits("read-only", frozenset({1}), frozenset({10}), ("10.1.0.0/16", "2001:db8:1::/48"))
    made, secret = await keys.create(realm, by, NewKey(robot, "within", within))
    assert (made.expires_at, made.limits) == (NOW + HOUR, within)
    with pytest.raises(Denied, match="ends later"):
        await keys.create(realm, by, NewKey(ann, "later", within, NOW + 2 * HOUR))
    deeper, last = await keys.create(realm, await desk.by(robot, made.id), NewKey(robot, "deeper", within))
    assert deeper.parent == made.id
    stamps = desk.stamp(ann), desk.stamp(robot)
    await keys.revoke(realm, await desk.by(ann), ann, mine.id)
    assert [await desk.is_good(one) for one in (secret, last)] == [False, False]
    assert [desk.holds(stamp) for stamp in stamps] == [False, False]


_LIMITS = st.builds(
    Limits,
    st.sampled_from([None, *SCOPES]),
    st.none() | st.frozensets(st.integers(1, 4), min_size=1),
    st.none() | st.frozensets(st.integers(1, 4), min_size=1),
    st.none() | st.sets(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "::/0"]), min_size=1).map(tuple),
)


def allowed(limits: Limits) -> set[tuple[Any, ...]]:
    """All that a key with these limits may do, in a world of a few things."""
    ranks = 4 if limits.scope is None else SCOPES.index(limits.scope) + 1
    inside = {
        "10.9.9.9": {"10.0.0.0/8"},
        "10.1.9.9": {"10.0.0.0/8", "10.1.0.0/16"},
        "::1": {"::/0"},
        "192.0.2.1": set(),
    }
    inside["10.1.1.9"] = inside["10.1.9.9"] | {"10.1.1.0/24"}
    return {
        (rank, namespace, repository, address)
        for rank in range(ranks)
        for namespace in limits.namespaces or range(1, 6)
        for repository in limits.repositories or range(1, 6)
        for address, nets in inside.items()
        if limits.addresses is None or nets & set(limits.addresses)
    }


@given(_LIMITS, _LIMITS)
def test_what_may_be_made_is_exactly_what_allows_no_more(parent: Limits, asked: Limits) -> None:
    try:
        is_made = narrower(parent, checked(asked)) is not None
    except Denied:
        is_made = False
    is_within = allowed(asked) <= allowed(parent)
    assert is_within or not is_made
    if is_within and (asked.addresses is None or parent.addresses is None or len(parent.addresses) == 1):
        assert is_made


async def test_a_key_that_was_revoked_meanwhile_makes_none(realm: Realm, desk: Desk) -> None:
    ann, bea = await desk.person(), await desk.person()
    mine, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "mine"))
    with pytest.raises(CredentialRevoked):
        await keys.create(realm, await desk.by(bea, mine.id), NewKey(bea, "stolen id"))
    await keys.revoke(realm, await desk.by(ann), ann, mine.id)
    for action in (
        keys.create(realm, await desk.by(ann, mine.id), NewKey(ann, "late")),
        keys.rotate(realm, await desk.by(ann, mine.id), ann, mine.id, HOUR),
    ):
        with pytest.raises(CredentialRevoked):
            await action


async def test_keys_made_while_their_maker_is_revoked_are_revoked_or_never_made(realm: Realm, desk: Desk) -> None:
    ann, robot = await desk.person(), await desk.robot()
    for _ in range(10):
        mine, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "mine"))
        by = await desk.by(ann, mine.id)
        made: list[Any] = await asyncio.gather(
            *(keys.create(realm, by, NewKey(robot, f"{n}")) for n in range(3)),
            keys.revoke(realm, await desk.by(ann), ann, mine.id),
            return_exceptions=True,
        )
        secrets = [one[1] for one in made if isinstance(one, tuple)]
        assert not any([await desk.is_good(secret) for secret in secrets])


async def test_a_rotated_key_stays_good_for_the_overlap_and_no_longer(realm: Realm, desk: Desk, clock: Clock) -> None:
    ann = await desk.person()
    by = await desk.by(ann)
    old, _ = await keys.create(realm, by, NewKey(ann, "ci", NARROW, NOW + 10 * HOUR))
    clock.now += HOUR
    stamp = desk.stamp(ann)
    new, secret = await keys.rotate(realm, by, ann, old.id, 2 * HOUR)
    assert not desk.holds(stamp)
    assert (new.name, new.limits, new.expires_at) == ("ci", NARROW, clock.now + 10 * HOUR)
    assert await desk.is_good(secret)
    assert {one.id: one.expires_at for one in await keys.page(realm, ann)}[old.id] == clock.now + 2 * HOUR
    with pytest.raises(Conflict, match="rotated already"):
        await keys.rotate(realm, by, ann, old.id, HOUR)
    clock.now += 2 * HOUR
    assert [one.id for one in await keys.page(realm, ann)] == [new.id]
    assert (await desk.actions(ann))[-1] == "key.rotated"


async def test_an_overlap_does_not_lengthen_a_key(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    old, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "ci", expires_at=NOW + HOUR))
    await keys.rotate(realm, await desk.by(ann), ann, old.id, timedelta(days=30))
    assert {one.id: one.expires_at for one in await keys.page(realm, ann)}[old.id] == NOW + HOUR
    for odd in (timedelta(days=31), timedelta(seconds=-1)):
        with pytest.raises(Unprocessable, match="30 days"):
            await keys.rotate(realm, await desk.by(ann), ann, old.id, odd)


async def test_a_key_that_rotates_itself_does_not_live_longer_and_rotates_no_wider_one(
    realm: Realm, desk: Desk, clock: Clock
) -> None:
    ann = await desk.person()
    mine, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "ci", NARROW, NOW + 2 * HOUR))
    wide, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "wide"))
    clock.now += HOUR
    with pytest.raises(Denied):
        await keys.rotate(realm, await desk.by(ann, mine.id), ann, wide.id, HOUR)
    new, _ = await keys.rotate(realm, await desk.by(ann, mine.id), ann, mine.id, timedelta())
    assert new.expires_at == NOW + 2 * HOUR


async def test_keys_made_with_a_rotated_key_go_with_the_new_one(realm: Realm, desk: Desk, clock: Clock) -> None:
    ann = await desk.person()
    old, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "old"))
    _, child = await keys.create(realm, await desk.by(ann, old.id), NewKey(ann, "child"))
    refresh = await refresh_tokens.issue(realm, await desk.by(ann), ann, old.id, "docker")
    new, _ = await keys.rotate(realm, await desk.by(ann), ann, old.id, HOUR)
    clock.now += HOUR
    assert [await desk.is_good(one) for one in (child, refresh)] == [True, False]
    await keys.revoke(realm, await desk.by(ann), ann, new.id)
    assert not await desk.is_good(child)


async def test_nobody_revokes_or_rotates_the_key_of_another_account(realm: Realm, desk: Desk) -> None:
    ann, eve = await desk.person(), await desk.person()
    key, secret = await keys.create(realm, await desk.by(ann), NewKey(ann, "mine"))
    with pytest.raises(NotFound):
        await keys.revoke(realm, await desk.by(eve), eve, key.id)
    with pytest.raises(NotFound):
        await keys.rotate(realm, await desk.by(eve), eve, key.id, HOUR)
    pair = await sessions.login(realm, SOMEBODY, (await desk.see(ann)).name, PASSWORD)
    with pytest.raises(NotFound):
        await keys.revoke(realm, await desk.by(ann), ann, pair.session_id)
    assert await desk.is_good(secret)


async def test_a_refresh_token_has_the_limits_of_its_key_and_ends_with_it(
    realm: Realm, desk: Desk, clock: Clock
) -> None:
    ann = await desk.person()
    by = await desk.by(ann)
    for ends in (NOW + HOUR, None):
        key, _ = await keys.create(realm, by, NewKey(ann, "mine", NARROW, ends))
        secret = await refresh_tokens.issue(realm, by, ann, key.id, "docker\n\0")
        listed = (await keys.page(realm, ann))[-1]
        assert (listed.kind, listed.name, listed.limits, listed.hint) == ("refresh", "docker", NARROW, hint(secret))
        assert listed.expires_at == (ends or NOW + timedelta(days=30))
        assert await desk.is_good(secret)
        await keys.revoke(realm, by, ann, key.id)
        assert not await desk.is_good(secret)
        with pytest.raises(CredentialRevoked):
            await refresh_tokens.issue(realm, by, ann, key.id, "docker")


async def test_a_refresh_token_is_revoked_like_a_key_and_the_oldest_give_way(
    realm: Realm, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_tokens, "MOST", 2)
    ann = await desk.person()
    by = await desk.by(ann)
    key, _ = await keys.create(realm, by, NewKey(ann, "mine"))
    secrets = [await refresh_tokens.issue(realm, by, ann, key.id, f"c{n}") for n in range(3)]
    assert [await desk.is_good(secret) for secret in secrets] == [False, True, True]
    listed = [one for one in await keys.page(realm, ann) if one.name == "c2"]
    await keys.revoke(realm, by, ann, listed[0].id)
    assert [await desk.is_good(secret) for secret in secrets] == [False, True, False]


async def test_a_refresh_token_comes_from_ones_own_key_or_password_alone(realm: Realm, desk: Desk) -> None:
    ann, eve = await desk.person(), await desk.person()
    key, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "mine"))
    pair = await sessions.login(realm, SOMEBODY, (await desk.see(ann)).name, PASSWORD)
    with pytest.raises(CredentialRevoked):
        await refresh_tokens.issue(realm, await desk.by(eve), eve, key.id, "docker")
    with pytest.raises(CredentialRevoked):
        await refresh_tokens.issue(realm, await desk.by(ann), ann, pair.session_id, "docker")
    await accounts.suspend(realm, SOMEBODY, ann)
    with pytest.raises(CredentialRevoked):
        await refresh_tokens.issue(realm, SOMEBODY, ann, key.id, "docker")


async def test_what_ended_is_forgotten_and_keys_are_not(realm: Realm, desk: Desk, clock: Clock) -> None:
    ann = await desk.person()
    key, _ = await keys.create(realm, await desk.by(ann), NewKey(ann, "mine", expires_at=NOW + HOUR))
    await refresh_tokens.issue(realm, await desk.by(ann), ann, key.id, "docker")
    pair = await sessions.login(realm, SOMEBODY, (await desk.see(ann)).name, PASSWORD)
    await sessions.refresh(realm, SOMEBODY, pair.renewal)
    kinds = "SELECT string_agg(kind, ' ' ORDER BY kind) FROM credentials WHERE account = $1"
    clock.now += timedelta(days=8)
    await jobs.expire(realm.db, clock.now)
    assert await desk.run(kinds, ann) == "key password renewal renewal"
    clock.now += timedelta(days=30)
    await jobs.expire(realm.db, clock.now)
    assert await desk.run(kinds, ann) == "key password"


async def test_what_is_revoked_is_denied_the_next_request_though_it_was_known(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    by, at = await desk.by(ann), NOW.timestamp()
    identifier = Identifier(realm, signing.KeyRing(realm), Expected({"https://registry.example.org"}, "registry"))
    key, secret = await keys.create(realm, by, NewKey(ann, "mine"))
    pair = await sessions.login(realm, SOMEBODY, by.name, PASSWORD)
    for text in (secret, pair.session):
        for _ in range(2):
            assert (await identifier.identify(bearer(text), HOME, at)).actor.account == ann
        assert identifier.recall(bearer(text), at) is not None
        if text == secret:
            await keys.revoke(realm, by, ann, key.id)
        else:
            await sessions.revoke(realm, by, pair.session_id)
        assert identifier.recall(bearer(text), at) is None
        with pytest.raises(CredentialRevoked):
            await identifier.identify(bearer(text), HOME, at)
    _, other = await keys.create(realm, by, NewKey(ann, "other"))
    assert (await identifier.identify(bearer(other), HOME, at)).actor.account == ann
    await accounts.suspend(realm, SOMEBODY, ann)
    with pytest.raises(CredentialRevoked, match="suspended"):
        await identifier.identify(bearer(other), HOME, at)
    await accounts.resume(realm, SOMEBODY, ann)
    assert (await identifier.identify(bearer(other), HOME, at)).actor.account == ann
    await accounts.delete(realm, SOMEBODY, ann)
    with pytest.raises(CredentialRevoked):
        await identifier.identify(bearer(other), HOME, at)


async def test_no_key_is_in_the_log_or_the_audit_log(
    realm: Realm, desk: Desk, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ann = await desk.person()
    by = await desk.by(ann)
    key, secret = await keys.create(realm, by, NewKey(ann, "mine"))
    refresh = await refresh_tokens.issue(realm, by, ann, key.id, "docker")
    new, second = await keys.rotate(realm, by, ann, key.id, HOUR)
    await keys.revoke(realm, by, ann, new.id)
    told = [secret, refresh, second]
    await nothing_tells(desk, capsys, caplog, *told, *(realm.secrets.hash(one)[1].hex() for one in told))
