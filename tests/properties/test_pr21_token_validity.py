import uuid
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.auth.identify import Identifier
from registry.auth.model import Grant
from registry.auth.realm import Realm, account_slot
from registry.auth.signing import KeyRing
from registry.auth.tokens import Expected, SigningKey
from registry.core.errors import InvalidCredentials
from tests.auth.conftest import clock, people, realm  # noqa: F401 - fixtures
from tests.auth.forging import forge, forge_with_public_key
from tests.auth.people import HOME, NOW, People, bearer

AT = int(NOW.timestamp())
ISSUER, AUDIENCE = "https://registry.example.org", "gati-registry"
EXPECTED = Expected(frozenset({ISSUER}), AUDIENCE)
MOSTLY = st.sampled_from([True] * 9 + [False])
NAME = st.from_regex(r"[a-z]{1,4}/[a-z]{1,4}", fullmatch=True)
ACTIONS = st.frozensets(st.sampled_from(["pull", "push", "delete"]))
ACCESS = st.dictionaries(NAME, st.builds(Grant, ACTIONS, st.integers(1, 9), st.integers(1, 3)), max_size=3)
AROUND = st.one_of(st.integers(-40, 40), st.integers(3560, 3680), st.integers(-400, 8000))


@st.composite
def tokens(draw: st.DrawFn) -> dict[str, Any]:
    """How a token is made, and what became of its credential."""
    return {
        "issuer": draw(MOSTLY),
        "audience": draw(MOSTLY),
        "type": draw(MOSTLY),
        "subject": draw(MOSTLY),
        "signature": draw(st.sampled_from(["right"] * 12 + ["other key", "none", "HS256", "HS512", "jwk"])),
        "life": draw(st.integers(1, 600)),
        "starts": draw(st.sampled_from([0, 0, 0, 29, 30, 31, 60])),
        "over": draw(AROUND),
        "credential": draw(st.sampled_from(["good"] * 7 + ["revoked", "expired", "rotated", "other kind"])),
        "account": draw(st.sampled_from(["active"] * 8 + ["suspended", "deleted"])),
        "access": draw(ACCESS),
    }


def should_be(token: dict[str, Any]) -> str:
    """The oracle: `yes`, `late` (upload sessions alone) or `no`; a token is read `over` seconds after its end."""
    over, skew, hour = token["over"], EXPECTED.leeway, 3600
    is_good = all(token[part] for part in ("issuer", "audience", "type", "subject"))
    is_good = is_good and token["signature"] == "right" and token["account"] == "active"
    is_good = is_good and token["credential"] in {"good", "rotated"}
    has_begun = max(token["starts"], 0) <= token["life"] + over + skew
    if not is_good or not has_begun or over >= skew + hour:
        return "no"
    return "late" if over >= skew or token["credential"] == "rotated" else "yes"


def write(token: dict[str, Any], key: SigningKey, account: int, credential: int) -> str:
    """The token that is to be read at `AT`."""
    issued = AT - token["life"] - token["over"]
    header = {"alg": "EdDSA", "typ": "gati-registry+jwt" if token["type"] else "gati-identity+jwt", "kid": key.kid}
    claims = {
        "iss": ISSUER if token["issuer"] else "https://other.example.org",
        "aud": AUDIENCE if token["audience"] else "another",
        "sub": f"u:{account}" if token["subject"] else f"r:{account}",
        "cid": credential,
        "iat": issued,
        "nbf": issued + token["starts"],
        "exp": issued + token["life"],
        "jti": uuid.uuid4().hex,
        "access": [
            {
                "type": "repository",
                "name": name,
                "actions": sorted(of.actions),
                "ns": of.namespace,
                "gen": of.generation,
            }
            for name, of in token["access"].items()
        ],
    }
    match token["signature"]:
        case "right":
            return forge(header, claims, key.private)
        case "other key":
            return forge(header, claims, Ed25519PrivateKey.generate())
        case "jwk":
            return forge(header | {"jwk": {"kty": "OKP"}}, claims, key.private)
        case "none":
            return forge(header | {"alg": "none"}, claims, None)
        case algorithm:
            return forge_with_public_key(header | {"alg": algorithm}, claims, key.private.public_key())


async def account_of(people: People, token: dict[str, Any]) -> tuple[int, int]:  # noqa: F811
    """The account and the credential that a token was made for; both are still good."""
    account, _ = await people.account()
    credential, _ = await people.secret(account, "renew" if token["credential"] == "other kind" else "key")
    return account, credential


async def come_about(people: People, token: dict[str, Any], account: int, credential: int) -> None:  # noqa: F811
    """What became of them meanwhile."""
    async with people.realm.changes.around((account_slot(account),)):
        await people.change("accounts", account, state=token["account"])
        if token["credential"] == "revoked":
            await people.change("credentials", credential, revoked_at=NOW)
        elif token["credential"] in {"expired", "rotated"}:
            await people.change("credentials", credential, expires_at=NOW - timedelta(seconds=5))
        if token["credential"] == "rotated":
            later, _ = await people.secret(account)
            await people.change("credentials", credential, replaced_by=later)


# Feature: gati-registry, Property 21: Authentication token validity
@pytest.mark.timeout(300)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(token=tokens(), was_known=st.booleans())
async def test_a_token_lets_in_exactly_while_everything_about_it_holds(
    people: People,  # noqa: F811
    realm: Realm,  # noqa: F811
    token: dict[str, Any],
    was_known: bool,
) -> None:
    """Signature, algorithm, issuer, audience, time with 30 s of skew, account and credential; known before or not."""
    ring = KeyRing(realm)
    identifier = Identifier(realm, ring, EXPECTED)
    account, credential = await account_of(people, token)
    values = bearer(write(token, await ring.signing(AT), account, credential))
    if was_known:
        await outcome(identifier, values)
    await come_about(people, token, account, credential)
    expected = should_be(token)
    for _ in range(2):
        assert await outcome(identifier, values) == expected
    recalled = identifier.recall(values, AT)
    assert recalled is None or expected == "yes"
    if expected != "no":
        actor = (await identifier.identify(values, HOME, AT)).actor
        assert (actor.account, actor.credential, actor.ceiling) == (account, credential, token["access"])


async def outcome(identifier: Identifier, values: list[bytes]) -> str:
    """What becomes of a request, read at `AT`."""
    try:
        found = await identifier.identify(values, HOME, AT)
    except InvalidCredentials:
        return "no"
    return "late" if found.actor.late else "yes"
