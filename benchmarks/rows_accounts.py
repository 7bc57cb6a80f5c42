"""Reads with a password, with a token, and tokens themselves; for contenders with accounts."""

from dataclasses import replace
from typing import Final

from benchmarks.access import Access, Realm, basic, realm_of
from benchmarks.load import Load
from benchmarks.rows import Row, Sample, rate
from benchmarks.rows_reads import BY_TAG, REPOSITORY, hot, push_image
from benchmarks.script import TOKEN, Request, get, job
from benchmarks.stand import NotOffered, Stand

_SCOPE: Final = f"repository:{REPOSITORY}:pull"
_READS: Final = 5
"""Requests that a client makes with one token."""


def _realm(stand: Stand) -> Realm:
    with stand.client() as http:
        found = realm_of(http)
    if found is None:
        raise NotOffered("has no tokens")
    return found


def _with(authorization: str) -> Request:
    return get(BY_TAG, 200, ("Authorization", authorization))


def _basic(stand: Stand) -> Sample:
    """The password with every request."""
    with stand.client() as http:
        if not Access(http, stand.contender.credential).takes_basic:
            raise NotOffered("takes tokens only")
    return hot(stand, _with(basic(stand.contender.credential)))


def _bearer(stand: Stand) -> Sample:
    """One token for all requests."""
    _realm(stand)
    with stand.client() as http:
        token = Access(http, stand.contender.credential).token(_SCOPE)
    return hot(stand, _with(f"Bearer {token}"))


def _ask(realm: Realm, credential: str) -> Request:
    return get(realm.target(_SCOPE), 200, ("Authorization", basic(credential)))


def _tokens(stand: Stand) -> Sample:
    """A token for the same account, again and again."""
    return hot(stand, _ask(_realm(stand), stand.contender.credential))


def _many(stand: Stand) -> Sample:
    """Each account in turn: a new token, then five reads with it; reads a second."""
    accounts = stand.contender.accounts
    if not accounts:
        raise NotOffered("needs many accounts")
    realm, reads = _realm(stand), (_with(f"Bearer {TOKEN}"),) * _READS
    jobs = [job(replace(_ask(realm, account), keeps_token=True), *reads) for account in accounts]
    load = Load(jobs=jobs, connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds)
    sample = rate(stand.run(load))
    return replace(sample, value=sample.value * _READS)


ROWS: Final = (
    Row(
        name="auth-basic",
        title="GET manifest, password with each request",
        unit="requests/s",
        measure=_basic,
        prepare=push_image,
        needs_accounts=True,
    ),
    Row(
        name="auth-bearer",
        title="GET manifest, one token",
        unit="requests/s",
        measure=_bearer,
        prepare=push_image,
        needs_accounts=True,
    ),
    Row(
        name="auth-token",
        title="a token",
        unit="tokens/s",
        measure=_tokens,
        prepare=push_image,
        needs_accounts=True,
    ),
    Row(
        name="auth-many",
        title="GET manifest, 1,000 accounts, a new token every 5 requests",
        unit="requests/s",
        measure=_many,
        prepare=push_image,
        needs_accounts=True,
    ),
)
"""The rows of this file."""
