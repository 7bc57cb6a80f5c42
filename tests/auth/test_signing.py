"""Keys that sign tokens: made once, turned over without anybody noticing, and of no use without the file of secrets."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.audit.model import By
from registry.auth import signing, sql
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.auth.signing import KeyRing
from registry.auth.tokens import Claims, Expected, SigningKey, UnknownKey, public_jwk, sign, verify
from registry.core.errors import Unavailable
from registry.infra.changes import Changes
from tests.auth.people import NOW, Clock, People

AT = NOW.timestamp()
BY = By(None, "operator")
CLAIMS = Claims("https://r", "gati-registry", "anon", None)
EXPECTED = Expected(frozenset({"https://r"}), "gati-registry")


def alone(realm: Realm) -> Realm:
    """The same registry on another host: nothing announces changes there."""
    return replace(realm, changes=Changes(realm.db, None))


async def test_processes_that_start_together_make_one_key(realm: Realm, people: People) -> None:
    await people.run("TRUNCATE signing_keys")
    await asyncio.gather(*(signing.ensure(realm) for _ in range(5)))
    await signing.ensure(realm, "another seed, which comes too late")
    assert await people.run("SELECT count(*) FROM signing_keys") == 1
    events = "SELECT count(*) FROM audit_events WHERE action = 'signing-key.created' AND target = $1"
    kid = await people.run("SELECT kid FROM signing_keys")
    assert await people.run(events, kid) == 1


async def test_the_first_key_follows_from_the_secret_that_is_set(realm: Realm, people: People) -> None:
    kids = []
    for seed in ("x" * 32, "x" * 32, "y" * 32):
        await people.run("TRUNCATE signing_keys")
        await signing.ensure(realm, seed)
        kids.append((await KeyRing(realm).signing(AT)).kid)
    assert kids[0] == kids[1] != kids[2]


async def test_a_new_key_verifies_at_once_signs_a_minute_later_and_the_old_one_verifies_its_last_tokens(
    realm: Realm,
) -> None:
    ring = KeyRing(realm)
    old = (await ring.signing(AT)).kid
    new = await signing.rotate(realm, BY)
    assert new != old
    assert set(await ring.verifying(AT)) == {old, new}
    assert (await ring.signing(AT)).kid == old
    assert (await ring.signing(AT + 59)).kid == old
    assert (await ring.signing(AT + 60)).kid == new
    last = AT + 60 + 300 + 30 + 3600
    assert set(await ring.verifying(last - 1)) == {old, new}
    assert set(await ring.verifying(last)) == {new}
    assert [key["kid"] for key in (await ring.jwks(last))["keys"]] == [new]


async def test_no_token_outlives_its_key_and_none_is_refused_before_its_time(realm: Realm) -> None:
    ring = KeyRing(realm)
    await signing.rotate(realm, BY)
    text = sign(await ring.signing(AT + 59.9), CLAIMS, AT + 59.9)
    end = AT + 59 + 300 + 30 + 3600
    assert verify(text, await ring.verifying(end - 1), EXPECTED, end - 1).late


async def test_another_host_signs_with_the_old_key_for_a_while_and_finds_the_new_one_by_its_name(
    realm: Realm, people: People
) -> None:
    ring = KeyRing(alone(realm))
    old = (await ring.signing(AT)).kid
    new = await signing.rotate(realm, BY)
    assert set(await ring.verifying(AT)) == {old}
    await ring.look_again(AT + 0.9)
    assert set(await ring.verifying(AT)) == {old}
    await ring.look_again(AT + 1)
    assert set(await ring.verifying(AT + 1)) == {old, new}
    other = KeyRing(alone(realm))
    assert (await other.signing(AT)).kid == old
    assert (await other.signing(AT + signing.KNOWN_EVERYWHERE)).kid == new


async def test_keys_that_verify_nothing_any_more_are_forgotten(realm: Realm, clock: Clock, people: People) -> None:
    await signing.rotate(realm, BY)
    clock.now += timedelta(days=1)
    await signing.rotate(realm, BY)
    assert await people.run("SELECT count(*) FROM signing_keys") == 2


async def test_a_rotation_is_told_in_the_audit_log(realm: Realm, people: People) -> None:
    kid = await signing.rotate(realm, By(None, "the operator of today"))
    found = "SELECT actor_name FROM audit_events WHERE action = 'signing-key.rotated' AND target = $1"
    assert await people.run(found, kid) == "the operator of today"


async def test_the_database_alone_signs_nothing(realm: Realm, people: People, tmp_path: Path) -> None:
    key = await KeyRing(realm).signing(AT)
    assert key.private.private_bytes_raw() not in await people.run("SELECT sealed FROM signing_keys")
    stranger = replace(realm, secrets=Secrets.load(tmp_path / "other.json"))
    with pytest.raises(Unavailable, match="another SECRETS_FILE"):
        await KeyRing(stranger).signing(AT)


async def test_a_registry_without_a_key_says_that_it_is_not_ready(realm: Realm, people: People) -> None:
    await people.run("TRUNCATE signing_keys")
    with pytest.raises(Unavailable, match="no signing key"):
        await KeyRing(realm).signing(AT)


async def test_published_keys_hold_nothing_private(realm: Realm) -> None:
    (key,) = (await KeyRing(realm).jwks(AT))["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")


async def test_a_key_for_identity_tokens_never_verifies_a_registry_token(realm: Realm) -> None:
    private = Ed25519PrivateKey.generate()
    sealed = realm.secrets.seal(private.private_bytes_raw(), b"identity")
    key = sql.StoredKey("identity", sealed, public_jwk(private.public_key(), "identity"), NOW, None)
    async with realm.db.connection() as connection:
        await sql.insert_key(connection, "identity", key)
    text: Any = sign(SigningKey("identity", private), CLAIMS, AT)
    ring = KeyRing(realm)
    with pytest.raises(UnknownKey):
        verify(text, await ring.verifying(AT), EXPECTED, AT)
    assert "identity" not in json.dumps(await ring.jwks(AT))
    assert (await ring.signing(AT)).kid != "identity"
