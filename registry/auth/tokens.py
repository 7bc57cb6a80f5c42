"""Registry tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), the only home of PyJWT.

A header has exactly `alg`, `typ` and `kid`; whatever else a token says about its own key is refused, not read
(RFC 8725).
"""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.auth.model import Grant
from registry.core.errors import BadRequest, CredentialExpired, InvalidToken, ManifestInvalid
from registry.core.strict_json import parse_object

TYPE: Final = "gati-registry+jwt"
LIFETIME: Final = 300
REPOSITORIES: Final = 32
SIGNED: Final = 6 << 10
READ: Final = 8 << 10
_ALGORITHM: Final = "EdDSA"
_ROWS: Final = 1 << 63
_DIGITS: Final = 18
_CATALOG: Final = {"type": "registry", "name": "catalog", "actions": ["*"]}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the name that its tokens carry."""

    kid: str
    private: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: `subject` is a principal; `access` what it allows at most, by name of the repository."""

    issuer: str
    audience: str
    subject: str
    credential: int | None
    access: Mapping[str, Grant] = field(default_factory=dict)
    catalog: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens are good here: any of `issuers`, for `audience`. `leeway` and `late` are seconds.

    Within `late` after its end, which the leeway moves, a token is still read, and marked.
    """

    issuers: Collection[str]
    audience: str
    leeway: int = 30
    late: int = 3600


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature and claims are good.

    Attributes:
        principal: `u:<account>`, `r:<account>` or `anon`.
        account, credential: the row that it was made for; None for `anon`.
        ceiling: what it allows at most, by name of the repository.
        catalog: whether it allows to list the repositories.
        late: it has expired, less than an hour ago.
        expires: seconds since the epoch, without leeway.
    """

    principal: str
    account: int | None
    credential: int | None
    ceiling: dict[str, Grant]
    catalog: bool
    late: bool
    expires: float


def merge(entries: Iterable[tuple[str, Grant]]) -> dict[str, Grant]:
    """One grant for each repository: clients name the same one more than once."""
    merged: dict[str, Grant] = {}
    for name, grant in entries:
        known = merged.get(name)
        actions = grant.actions | known.actions if known is not None else grant.actions
        merged[name] = Grant(actions, grant.namespace, grant.generation)
    return merged


def sign(key: SigningKey, claims: Claims, now: float, lifetime: int = LIFETIME) -> str:
    """A token that is good from `now` on, for `lifetime` seconds.

    Raises:
        BadRequest: it would be for more repositories, or longer, than clients and proxies can carry.
    """
    if len(claims.access) > REPOSITORIES:
        raise BadRequest(f"A token is for at most {REPOSITORIES} repositories: ask for fewer scopes at a time.")
    start = int(now)
    access = [_entry(name, grant) for name, grant in sorted(claims.access.items())]
    payload: dict[str, Any] = {
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.subject,
        "iat": start,
        "nbf": start,
        "exp": start + lifetime,
        "jti": secrets.token_urlsafe(12),
        "access": [*access, _CATALOG] if claims.catalog else access,
    }
    if claims.credential is not None:
        payload["cid"] = claims.credential
    raw = json.dumps(payload, separators=(",", ":")).encode()
    text = jwt.api_jws.encode(raw, key.private, _ALGORITHM, {"typ": TYPE, "kid": key.kid})
    if len(text) > SIGNED:
        raise BadRequest(f"The token would be longer than {SIGNED} bytes: ask for fewer scopes at a time.")
    return text


def verify(text: str, keys: Mapping[str, Ed25519PublicKey], expected: Expected, now: float) -> Token:
    """The token that `text` is, when one of `keys` signed it and it is good at `now`.

    Raises:
        CredentialExpired: it was good, more than an hour ago.
        InvalidToken: it is anything else.
        UnknownKey: it names a key that is not among `keys`.
    """
    kid = key_of(text)
    key = keys.get(kid)
    if key is None:
        raise UnknownKey("The token was signed with a key that this registry does not have: log in again.")
    try:
        raw = jwt.api_jws.decode(text, key, [_ALGORITHM])
    except jwt.PyJWTError as error:
        raise _invalid() from error
    return _token(_object(raw), expected, now)


class UnknownKey(InvalidToken):
    """The key that a token names is not known, or no longer."""


def is_token(text: str) -> bool:
    """Whether a credential has the form of a token and not that of a key."""
    return text.count(".") == 2


def key_of(text: str) -> str:
    """The key that a token says it was signed with; nothing was checked but the header.

    Raises:
        InvalidToken: it is no token of this form.
    """
    if len(text) > READ or not text.isascii() or not is_token(text):
        raise _invalid()
    try:
        raw = jwt.utils.base64url_decode(text.partition(".")[0])
    except ValueError as error:
        raise _invalid() from error
    header = _object(raw)
    kid = header.get("kid")
    if header.keys() != {"alg", "typ", "kid"} or header["alg"] != _ALGORITHM or header["typ"] != TYPE:
        raise _invalid()
    if not isinstance(kid, str):
        raise _invalid()
    return kid


def public_jwk(key: Ed25519PublicKey, kid: str) -> dict[str, Any]:
    """The key as others read it (RFC 8037, section 2)."""
    x = jwt.utils.base64url_encode(key.public_bytes_raw()).decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": _ALGORITHM}


def _entry(name: str, grant: Grant) -> dict[str, Any]:
    actions = sorted(grant.actions)
    return {"type": "repository", "name": name, "actions": actions, "ns": grant.namespace, "gen": grant.generation}


def _token(claims: dict[str, Any], expected: Expected, now: float) -> Token:
    times = [claims.get(name) for name in ("iat", "nbf", "exp")]
    texts = [claims.get(name) for name in ("iss", "aud", "sub", "jti")]
    if not all(type(time) is int for time in times) or not all(isinstance(text, str) and text for text in texts):
        raise _invalid()
    if claims["iss"] not in expected.issuers or claims["aud"] != expected.audience:
        raise InvalidToken("The token is for another registry: log in to this one.")
    if max(claims["iat"], claims["nbf"]) > now + expected.leeway:
        raise InvalidToken("The token is not good yet: set the clock of the machine that made it.")
    account = _account(claims["sub"], claims.get("cid"))
    ceiling, catalog = _access(claims.get("access"))
    over = now - claims["exp"] - expected.leeway
    if over >= expected.late:
        raise CredentialExpired("The token has expired: log in again.")
    cid = claims.get("cid")
    return Token(claims["sub"], account, cid, ceiling, catalog, over >= 0, float(claims["exp"]))


def _account(subject: str, credential: Any) -> int | None:
    if subject == "anon":
        if credential is not None:
            raise _invalid()
        return None
    kind, _, number = subject.partition(":")
    if kind not in {"u", "r"} or not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        raise _invalid()
    if type(credential) is not int or not 0 < credential < _ROWS:
        raise _invalid()
    return int(number)


def _access(entries: Any) -> tuple[dict[str, Grant], bool]:
    if not isinstance(entries, list):
        raise _invalid()
    ceiling: dict[str, Grant] = {}
    catalog = False
    for entry in entries:
        if entry == _CATALOG:
            catalog = True
            continue
        try:
            is_repository, name = entry["type"] == "repository", entry["name"]
            actions, namespace, generation = entry["actions"], entry["ns"], entry["gen"]
            is_good = is_repository and type(namespace) is int and type(generation) is int and name not in ceiling
            ceiling[name] = Grant(frozenset(actions), namespace, generation)
        except (KeyError, TypeError) as error:
            raise _invalid() from error
        if not is_good or not isinstance(actions, list) or not all(isinstance(text, str) for text in (name, *actions)):
            raise _invalid()
    return ceiling, catalog


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return parse_object(raw)
    except ManifestInvalid as error:
        raise _invalid() from error


def _invalid() -> InvalidToken:
    return InvalidToken("The token is not one of this registry: log in again.")
