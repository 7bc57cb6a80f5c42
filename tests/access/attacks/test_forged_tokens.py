"""Tokens that this registry did not make, or not for that, at every door that reads one."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.auth import sql
from registry.auth.secrets import mint
from registry.auth.tokens import TYPE, SigningKey, public_jwk
from tests.access.world import One, World, basic
from tests.auth.forging import forge, forge_with_public_key
from tests.pushing import push_image

PASSWORD = "correct horse battery"
OWN = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
Header = dict[str, Any]


async def scene(world: World) -> tuple[One, str, SigningKey, dict[str, Any]]:
    """Somebody, a private repository, the key that signs, and what a good token for it says."""
    one = await world.user(password=PASSWORD)
    _, home = await world.org(one)
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    key = await world.application.access().keys.signing(time.time())
    claims = jwt.decode(await one.token(f"repository:{home}/app:pull,push"), options={"verify_signature": False})
    return one, home, key, claims


async def statuses(world: World, home: str, token: str) -> list[int]:
    """What the three doors and both methods of /token answer to it as a bearer, and what they do to it in Basic."""
    async with world.client(f"Bearer {token}") as client:
        found = [
            await client.get(f"/v2/{home}/app/manifests/latest"),
            await client.post(f"/v2/{home}/app/blobs/uploads/"),
            await client.get("/v2/"),
            await client.get("/token", params={"scope": f"repository:{home}/app:pull"}),
            await client.get("/v1/me"),
        ]
    assert not any(token in answer.text for answer in found)
    return [answer.status_code for answer in found]


REFUSED = [401] * 5


async def test_a_good_token_is_for_v2_and_neither_for_v1_nor_for_another_token(world: World) -> None:
    _, home, key, claims = await scene(world)
    good = forge({"alg": "EdDSA", "typ": TYPE, "kid": key.kid}, claims, key.private)
    assert await statuses(world, home, good) == [200, 202, 200, 401, 401]


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "nOnE", "kid": ""},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES256"},
        {"typ": "JWT"},
        {"typ": "gati-identity+jwt"},
        {"typ": None},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/chain"},
        {"x5c": ["MIIB"]},
        {"jwk": public_jwk(OWN.public_key(), "mine")},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
    ids=str,
)
async def test_a_header_that_says_anything_else_opens_nothing(world: World, change: Header) -> None:
    _, home, key, claims = await scene(world)
    header = {"alg": "EdDSA", "typ": TYPE, "kid": key.kid} | change
    for private in (key.private, OWN, None):
        assert await statuses(world, home, forge(header, claims, private)) == REFUSED


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_what_everybody_can_read_is_no_secret_to_sign_with(world: World, algorithm: str) -> None:
    _, home, key, claims = await scene(world)
    header = {"alg": algorithm, "typ": TYPE, "kid": key.kid}
    assert await statuses(world, home, forge_with_public_key(header, claims, key.private.public_key())) == REFUSED
    async with world.client() as client:
        published = (await client.get("/.well-known/jwks.json")).json()["keys"]
    for text in (published[0]["x"], str(published[0]), ""):
        secret = text.encode() or b"\0"
        signed = forge(header, claims, None)
        signer = jwt.get_algorithm_by_name(algorithm)
        mac = jwt.utils.base64url_encode(signer.sign(signed.removesuffix(".").encode(), secret)).decode()
        assert await statuses(world, home, signed + mac) == REFUSED


@pytest.mark.parametrize(
    "kid",
    [
        "",
        "../../../etc/passwd",
        "/dev/null",
        "..%2f..%2fdev%2fnull",
        "' OR 1=1 --",
        "'; DROP TABLE signing_keys; --",
        "x' UNION SELECT 'registry', 'aa' --",
        "\0",
        "key\0",
        "http://127.0.0.1:1/keys",
        "|id",
        "${jndi:ldap://127.0.0.1:1/a}",
        "\ud83d\ude00",
        "k" * 5000,
        7,
        None,
        [],
        ["kid"],
        {"kid": "kid"},
        True,
    ],
    ids=repr,
)
async def test_a_key_that_is_named_to_mislead_is_unknown(world: World, kid: Any) -> None:
    _, home, key, claims = await scene(world)
    for private in (OWN, key.private):
        token = forge({"alg": "EdDSA", "typ": TYPE, "kid": kid}, claims, private)
        assert await statuses(world, home, token) == REFUSED
    assert await world.fetch("SELECT count(*) FROM signing_keys") == 1


async def test_another_key_under_a_known_name_signs_nothing(world: World) -> None:
    _, home, key, claims = await scene(world)
    assert await statuses(world, home, forge({"alg": "EdDSA", "typ": TYPE, "kid": key.kid}, claims, OWN)) == REFUSED


def changed(name: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: claims | {name: value}


@pytest.mark.parametrize(
    "change",
    [
        changed("iss", "https://other.example.org"),
        changed("iss", ["gati-registry"]),
        changed("aud", "sigstore"),
        changed("aud", ["gati-registry"]),
        changed("sub", "u:1"),
        changed("sub", "anybody"),
        changed("sub", "ci:1"),
        changed("sub", "u:\uff11"),
        changed("cid", 1),
        changed("cid", "1"),
        changed("cid", 2**63),
        changed("cid", -(2**63)),
        changed("cid", 10**30),
        changed("cid", value=True),
        changed("sub", f"u:{10**30}"),
        changed("exp", 2**63),
        changed("exp", "never"),
        changed("exp", value=True),
        changed("nbf", 2**62),
        changed("iat", None),
        changed("jti", ""),
        changed("access", None),
        changed("access", {"type": "repository"}),
        lambda claims: {name: value for name, value in claims.items() if name != "exp"},
        lambda claims: {name: value for name, value in claims.items() if name != "iat"},
        lambda claims: {name: value for name, value in claims.items() if name != "cid"},
    ],
)
async def test_claims_of_somebody_or_something_else_open_nothing_and_break_nothing(
    world: World, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Signed by the registry's own key: what remains between a caller and the claims is the reading of them."""
    one, home, key, claims = await scene(world)
    keeper: One = world.administrator
    told = change(claims | {"sub": f"u:{one.account}"})
    found = await statuses(world, home, forge({"alg": "EdDSA", "typ": TYPE, "kid": key.kid}, told, key.private))
    if told.get("exp") == 2**63:
        assert found == [200, 202, 200, 401, 401]
        return
    assert keeper.account != one.account
    assert found == REFUSED


async def test_a_token_for_the_account_of_somebody_else_with_the_own_credential_opens_nothing(world: World) -> None:
    one, home, key, claims = await scene(world)
    other = await world.user()
    header = {"alg": "EdDSA", "typ": TYPE, "kid": key.kid}
    credential = await world.fetch("SELECT max(id) FROM credentials WHERE account = $1", other.account)
    for told in (claims | {"cid": credential}, claims | {"sub": f"u:{other.account}"}, claims | {"sub": "anon"}):
        assert await statuses(world, home, forge(header, told, key.private)) == REFUSED
    robot = claims | {"sub": f"r:{one.account}"}
    assert await statuses(world, home, forge(header, robot, key.private)) == REFUSED


async def test_a_key_of_identity_tokens_signs_no_registry_token(world: World) -> None:
    _, home, _, claims = await scene(world)
    realm = world.realm
    sealed = realm.secrets.seal(OWN.private_bytes_raw(), b"identity")
    row = sql.StoredKey("identity", sealed, public_jwk(OWN.public_key(), "identity"), realm.clock(), None)
    async with realm.db.connection() as connection:
        await sql.insert_key(connection, "identity", row)
    for typ in (TYPE, "JWT"):
        token = forge({"alg": "EdDSA", "typ": typ, "kid": "identity"}, claims, OWN)
        assert await statuses(world, home, token) == REFUSED
    async with world.client() as client:
        assert "identity" not in (await client.get("/.well-known/jwks.json")).text


async def offer(world: World, name: str, secret: str) -> list[int]:
    """What /v2, /token and /v1 answer to a secret as a bearer, and beside the name."""
    found = []
    for authorization in (f"Bearer {secret}", basic(name, secret)):
        async with world.client(authorization) as client:
            found += [await client.get(path) for path in ("/v2/", "/token", "/v1/me")]
    async with world.client() as client:
        form = {"grant_type": "password", "username": name, "password": secret}
        found.append(await client.post("/token", data=form))
        body = {"type": "apiKey", "value": secret}
        found.append(await client.post("/v1/auth/login", json=body))
        body = {"type": "token", "value": secret}
        found.append(await client.post("/v1/auth/login", json=body))
    assert not any(secret in answer.text for answer in found if answer.status_code != 200)
    return [answer.status_code for answer in found]


async def test_a_refresh_token_is_good_at_token_in_a_form_and_nowhere_else(world: World) -> None:
    one, home, _, _ = await scene(world)
    async with one.client() as client:
        query = {"offline_token": "true", "client_id": "docker"}
        refresh = (await client.get("/token", params=query)).json()["refresh_token"]
    assert await offer(world, one.name, refresh) == [401] * 9
    async with world.client() as client:
        assert (await client.post("/v1/auth/refresh", json={"refreshToken": refresh})).status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": f"repository:{home}/app:pull"}
        assert (await client.post("/token", data=form)).status_code == 200
        for wrong in (one.key, mint("refresh"), refresh[:-1], "", "null"):
            answer = await client.post("/token", data=form | {"refresh_token": wrong})
            assert answer.status_code == (401 if wrong else 400)


async def test_a_renewal_renews_a_login_and_opens_nothing(world: World) -> None:
    one, home, _, _ = await scene(world)
    async with world.client() as client:
        login = (await client.post("/v1/auth/login", json={"username": one.name, "password": PASSWORD})).json()
        renewal = login["refreshToken"]
        assert await offer(world, one.name, renewal) == [401] * 9
        form = {"grant_type": "refresh_token", "refresh_token": renewal, "scope": f"repository:{home}/app:pull"}
        assert (await client.post("/token", data=form)).status_code == 401
        assert (await client.post("/v1/auth/refresh", json={"refreshToken": renewal})).status_code == 200


async def test_a_session_is_its_account_until_it_ends_and_so_are_tokens_made_with_it(world: World) -> None:
    one, home, _, _ = await scene(world)
    path = f"/v2/{home}/app/manifests/latest"
    async with world.client() as client:
        login = (await client.post("/v1/auth/login", json={"username": one.name, "password": PASSWORD})).json()
    async with world.client(f"Bearer {login['value']}") as client:
        assert (await client.get(path)).status_code == 200
        query = {"scope": f"repository:{home}/app:pull", "offline_token": "true"}
        answer = (await client.get("/token", params=query)).json()
        assert "refresh_token" not in answer
        assert (await client.post("/v1/auth/logout")).status_code == 204
        assert (await client.get(path)).status_code == 401
    async with world.client(f"Bearer {answer['token']}") as client:
        assert (await client.get(path)).status_code == 401


async def test_a_code_of_a_mail_or_a_made_up_secret_is_no_login(world: World) -> None:
    one, *_ = await scene(world)
    for kind in ("key", "robot", "session", "renew", "verify", "reset"):
        assert await offer(world, one.name, mint(kind)) == [401] * 9


async def test_cookies_log_nobody_in(world: World) -> None:
    one, home, _, _ = await scene(world)
    token = await one.token(f"repository:{home}/app:pull")
    async with world.client() as client:
        for value in (one.key, token, f"Bearer {token}"):
            headers = {"Cookie": f"session={value}; token={value}; Authorization={value}"}
            assert (await client.get(f"/v2/{home}/app/manifests/latest", headers=headers)).status_code == 401
            assert (await client.get("/v1/me", headers=headers)).status_code == 401
            query = {"scope": f"repository:{home}/app:pull"}
            answer = await client.get("/token", headers=headers, params=query)
            assert jwt.decode(answer.json()["token"], options={"verify_signature": False})["sub"] == "anon"
