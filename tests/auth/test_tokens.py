"""Registry tokens: what is read, and each way to pass off something else as one."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.auth.model import Grant
from registry.auth.tokens import (
    LIFETIME,
    TYPE,
    Claims,
    Expected,
    SigningKey,
    UnknownKey,
    key_of,
    merge,
    public_jwk,
    sign,
    verify,
)
from registry.core.errors import BadRequest, CredentialExpired, InvalidToken
from tests.auth import forging
from tests.auth.forging import encode

NOW = 1_800_000_000.5
ISSUER, AUDIENCE = "https://registry.example.org", "gati-registry"
EXPECTED = Expected(frozenset({ISSUER}), AUDIENCE)
PULL = Grant(frozenset({"pull"}), 7, 1)
KEY = SigningKey("k1", Ed25519PrivateKey.generate())
KEYS = {"k1": KEY.private.public_key()}
CLAIMS = Claims(ISSUER, AUDIENCE, "u:5", 9, {"acme/tool": PULL})
GOOD = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "u:5",
    "cid": 9,
    "iat": int(NOW),
    "nbf": int(NOW),
    "exp": int(NOW) + LIFETIME,
    "jti": "x",
    "access": [{"type": "repository", "name": "acme/tool", "actions": ["pull"], "ns": 7, "gen": 1}],
}
HEADER = {"alg": "EdDSA", "typ": TYPE, "kid": "k1"}


def forge(header: Any = HEADER, claims: Any = GOOD, private: Ed25519PrivateKey = KEY.private) -> str:
    """A token with any header and claims; the signature is right."""
    return forging.forge(header, claims, private)


def read(text: str, now: float = NOW) -> Any:
    return verify(text, KEYS, EXPECTED, now)


def test_a_token_says_whose_it_is_what_it_allows_and_until_when() -> None:
    token = read(sign(KEY, CLAIMS, NOW))
    assert (token.principal, token.account, token.credential) == ("u:5", 5, 9)
    assert (token.ceiling, token.catalog, token.late) == ({"acme/tool": PULL}, False, False)
    assert token.expires == int(NOW) + LIFETIME
    assert read(forge()) == token


def test_a_token_of_nobody_names_no_credential() -> None:
    token = read(sign(KEY, Claims(ISSUER, AUDIENCE, "anon", None, {}, catalog=True), NOW))
    assert (token.principal, token.account, token.credential, token.catalog) == ("anon", None, None, True)


def test_two_tokens_of_the_same_moment_differ() -> None:
    assert sign(KEY, CLAIMS, NOW) != sign(KEY, CLAIMS, NOW)


def test_scopes_of_one_repository_become_one_entry() -> None:
    push = Grant(frozenset({"push"}), 7, 1)
    assert merge([("a", PULL), ("b", PULL), ("a", push)]) == {"a": Grant(frozenset({"pull", "push"}), 7, 1), "b": PULL}


def test_a_token_is_for_32_repositories_and_stays_short() -> None:
    sign(KEY, Claims(ISSUER, AUDIENCE, "u:5", 9, {f"acme/{number}": PULL for number in range(32)}), NOW)
    with pytest.raises(BadRequest, match="32 repositories"):
        sign(KEY, Claims(ISSUER, AUDIENCE, "u:5", 9, {f"acme/{number}": PULL for number in range(33)}), NOW)
    with pytest.raises(BadRequest, match="fewer scopes"):
        sign(KEY, Claims(ISSUER, AUDIENCE, "u:5", 9, {f"{number}" * 240: PULL for number in range(30)}), NOW)


@pytest.mark.parametrize(
    ("after", "late"), [(-30, False), (0, False), (329, False), (330.5, True), (3929, True), (3930, None), (9999, None)]
)
def test_an_expired_token_counts_as_late_for_an_hour_and_then_as_expired(after: float, late: bool | None) -> None:
    text = forge()
    if late is None:
        with pytest.raises(CredentialExpired, match="expired") as caught:
            read(text, int(NOW) + after)
        assert caught.value.detail == {"reason": "TOKEN_EXPIRED"}
    else:
        assert read(text, int(NOW) + after).late is late


def test_one_of_several_names_of_the_registry_is_enough() -> None:
    expected = Expected(frozenset({ISSUER, "https://old.example.org"}), AUDIENCE)
    assert verify(forge(claims=GOOD | {"iss": "https://old.example.org"}), KEYS, expected, NOW).account == 5


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"cid"}))
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    with pytest.raises(InvalidToken):
        read(forge(claims={key: value for key, value in GOOD.items() if key != name}))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example.org"},
        {"iss": [ISSUER]},
        {"aud": "another"},
        {"aud": [AUDIENCE]},
        {"aud": "sigstore"},
        {"iat": int(NOW) + 31},
        {"nbf": int(NOW) + 31},
        {"nbf": True},
        {"exp": "9999999999"},
        {"exp": 9999999999.0},
        {"exp": None},
        {"iat": True},
        {"jti": ""},
        {"jti": 5},
        {"sub": 5},
        {"sub": "5"},
        {"sub": "u:"},
        {"sub": "u:-5"},
        {"sub": "u:\u0665"},
        {"sub": "ci:5"},
        {"sub": "anon"},
        {"sub": "anybody", "cid": None},
        {"cid": None},
        {"cid": "9"},
        {"cid": True},
        {"access": None},
        {"access": {}},
        {"access": ["acme/tool"]},
        {"access": GOOD["access"] * 2},  # type: ignore[operator]
        {"access": [{"type": "registry", "name": "catalog", "actions": ["*", "delete"]}]},
        {"access": [GOOD["access"][0] | {"type": "plugin"}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"name": 5}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"name": []}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"actions": "pull"}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"actions": [5]}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"ns": "7"}]},  # type: ignore[index]
        {"access": [GOOD["access"][0] | {"gen": None}]},  # type: ignore[index]
    ],
    ids=repr,
)
def test_a_claim_with_another_value_or_type_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        read(forge(claims=GOOD | claims))


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"typ": "JWT"},
        HEADER | {"typ": "gati-identity+jwt"},
        HEADER | {"typ": "application/gati-registry+jwt"},
        {"alg": "EdDSA", "kid": "k1"},
        {"alg": "EdDSA", "typ": TYPE},
        HEADER | {"kid": 5},
        HEADER | {"kid": ["k1"]},
        HEADER | {"kid": None},
        HEADER | {"kid": "../../k1"},
        HEADER | {"kid": "k1' OR '1'='1"},
        HEADER | {"kid": "k1\0"},
        HEADER | {"kid": ""},
        HEADER | {"crit": ["exp"]},
        HEADER | {"b64": False, "crit": ["b64"]},
        HEADER | {"jku": "https://evil.example.org/jwks.json"},
        HEADER | {"x5u": "https://evil.example.org/chain.pem"},
        HEADER | {"x5c": ["MIIB"]},
        HEADER | {"zip": "DEF"},
        HEADER | {"cty": "JWT"},
        {"typ": TYPE, "kid": "k1"},
        [],
        "EdDSA",
    ],
    ids=repr,
)
def test_a_header_with_anything_else_in_it_is_refused(header: Any) -> None:
    with pytest.raises(InvalidToken):
        read(forge(header))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "eddsa", "ES256", "RS256"])
def test_an_unsigned_token_or_one_of_another_algorithm_is_refused(algorithm: str) -> None:
    signed = f"{encode(HEADER | {'alg': algorithm})}.{encode(GOOD)}"
    for text in (f"{signed}.", signed, f"{signed}.{encode(KEY.private.sign(signed.encode()))}"):
        with pytest.raises(InvalidToken):
            read(text)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize(
    "secret",
    [
        KEYS["k1"].public_bytes_raw,
        lambda: KEYS["k1"].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        lambda: json.dumps(public_jwk(KEYS["k1"], "k1")).encode(),
        lambda: b"",
    ],
)
def test_a_token_that_is_signed_with_the_public_key_as_a_password_is_refused(
    algorithm: str, secret: Callable[[], bytes]
) -> None:
    signer = jwt.get_algorithm_by_name(algorithm)
    signed = f"{encode(HEADER | {'alg': algorithm})}.{encode(GOOD)}"
    text = f"{signed}.{encode(signer.sign(signed.encode(), secret()))}"
    with pytest.raises(InvalidToken):
        read(text)


def test_a_token_that_brings_its_own_key_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    own = public_jwk(other.public_key(), "k1")
    with pytest.raises(InvalidToken):
        read(forge(HEADER | {"jwk": own}, private=other))
    with pytest.raises(InvalidToken):
        read(forge(private=other))


def test_a_token_of_an_unknown_key_is_refused_as_such() -> None:
    with pytest.raises(UnknownKey):
        read(forge(HEADER | {"kid": "k2"}))


def test_an_identity_token_is_no_registry_token() -> None:
    private = rsa.generate_private_key(65537, 2048)
    header = {"typ": TYPE, "kid": "k1"}
    with pytest.raises(InvalidToken):
        read(jwt.encode(GOOD, private, "RS256", header))
    with pytest.raises(UnknownKey):
        read(forge(HEADER | {"kid": "identity"}))


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"EdDSA","typ":"gati-registry+jwt","kid":"k1"}',
        b'{"alg":"EdDSA","typ":"gati-registry+jwt","kid":"k2","kid":"k1"}',
        b'\xef\xbb\xbf{"alg":"EdDSA","typ":"gati-registry+jwt","kid":"k1"}',
        b"\xff",
        b"[" * 4000,
        b"",
    ],
)
def test_a_header_that_has_two_readings_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidToken):
        read(forge(header))


def test_claims_that_have_two_readings_are_refused() -> None:
    raw = json.dumps(GOOD)
    with pytest.raises(InvalidToken):
        read(forge(claims=raw.replace('"sub"', '"sub": "u:1", "sub"').encode()))
    with pytest.raises(InvalidToken):
        read(forge(claims=raw.replace(str(GOOD["exp"]), "NaN").encode()))


def test_a_changed_token_is_refused() -> None:
    header, claims, signature = forge().split(".")
    changed = encode(GOOD | {"sub": "u:1"})
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    texts = [f"{header}.{changed}.{signature}", f"{header}.{claims}.{flipped}", f"{header}.{claims}.{signature[:-4]}"]
    texts += [f"{header}.{claims}", f"{header}.{claims}.{signature}.x", f".{claims}.{signature}", "..", "", "é.é.é"]
    texts += [f"{header}.{claims}.\n{signature}", f"{header} .{claims}.{signature}", f"=.{claims}.{signature}"]
    for text in texts:
        with pytest.raises(InvalidToken):
            read(text)


def test_a_huge_token_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidToken):
        key_of(forge(claims=GOOD | {"jti": "x" * 8192}))
    with pytest.raises(InvalidToken):
        read("." * (1 << 20))


def test_every_refusal_reads_as_a_sentence_without_the_token() -> None:
    text = forge(claims=GOOD | {"aud": "other"})
    with pytest.raises(InvalidToken) as caught:
        read(text)
    assert caught.value.message.endswith(".")
    assert text not in caught.value.message
    assert caught.value.status == 401
