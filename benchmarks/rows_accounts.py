"""Reads and pushes with a key, with a token, and tokens themselves; for contenders with accounts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, cycle, islice
from statistics import median
from typing import Final

from benchmarks import script
from benchmarks.access import Access, Realm, basic, realm_of
from benchmarks.closed import PRIVATE, PUBLIC
from benchmarks.load import Load
from benchmarks.rows import Row, Sample, rate
from benchmarks.rows_pushes import artifact
from benchmarks.rows_reads import BY_TAG, CONFIG, IMAGE, LAYER, REPOSITORY, hot, push_image
from benchmarks.script import TOKEN, Job, Request, get, job
from benchmarks.stand import NotOffered, Stand

_SCOPE: Final = f"repository:{REPOSITORY}:pull"
_OPEN: Final = f"{PUBLIC}/read"
_OPEN_TAG: Final = f"/v2/{_OPEN}/manifests/latest"
_READS: Final = 5
"""Requests that a client makes with one token."""
_MANY: Final = 1000
_USES: Final = 3
_COLD: Final = 500
"""Credentials that a cold sample uses up."""
_LOGINS: Final = 24
_PUSHES: Final = 500
_REPOSITORIES: Final = 32
_TURNS: Final = 5
"""How often a comparison goes back and forth."""
_SERIAL: Final = count()


def _realm(stand: Stand) -> Realm:
    with stand.client() as http:
        found = realm_of(http)
    if found is None:
        raise NotOffered("has no tokens")
    return found


def _read(authorization: str) -> Request:
    return get(BY_TAG, 200, ("Authorization", authorization))


def _of_nobody(stand: Stand) -> None:
    """Push the image that everybody may read."""
    push_image(stand)
    stand.once("public image", partial(_push_public, stand))


def _push_public(stand: Stand) -> None:
    blobs = script.put_small_blob(_OPEN, CONFIG) + script.put_small_blob(_OPEN, LAYER)
    stand.push(_OPEN, [job(*blobs, script.put_manifest(_OPEN, "latest", IMAGE))])
    with stand.client() as http:
        status = http.get(_OPEN_TAG).status_code
    if status != 200:
        raise NotOffered("has no public repositories")


def _basic(stand: Stand) -> Request:
    """A read with the key, or the password, itself."""
    credential = stand.contender.accounts.credential
    with stand.client() as http:
        if not Access(http, credential).takes_basic:
            raise NotOffered("takes tokens only")
    return _read(basic(credential))


def _bearer(stand: Stand) -> Request:
    """A read with a token that is used again and again."""
    _realm(stand)
    with stand.client() as http:
        return _read(f"Bearer {Access(http, stand.contender.accounts.credential).token(_SCOPE)}")


def _anonymous(stand: Stand) -> Sample:
    """What everybody may read, without a credential."""
    load = Load(
        jobs=[job(get(_OPEN_TAG))], connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds
    )
    return rate(stand.run(load, None))


@dataclass(frozen=True, slots=True)
class _Beside:
    """Reads with a credential beside those of nobody, in short turns: how many times as long they take."""

    with_basic: bool

    def measure(self, stand: Stand) -> Sample:
        """The middle of the turns."""
        request, plan, costs = (_basic if self.with_basic else _bearer)(stand), stand.plan, []
        requests = 0
        stand.plan = replace(plan, seconds=plan.seconds / _TURNS)
        try:
            for turn in range(_TURNS):
                order = (_anonymous, partial(hot, request=request))
                found = {one: one(stand) for one in (order if turn % 2 else reversed(order))}
                costs.append(found[order[0]].value / found[order[1]].value)
                requests += sum(sample.requests for sample in found.values())
        finally:
            stand.plan = plan
        return Sample(value=median(costs), requests=requests)


def _ask(realm: Realm, credential: str) -> Request:
    fields = (("Authorization", basic(credential)),) if credential else ()
    return get(realm.target(_SCOPE), 200, *fields)


def _tokens(stand: Stand) -> Sample:
    """A token for the same key, again and again."""
    return hot(stand, _ask(_realm(stand), stand.contender.accounts.credential))


def _tokens_of_nobody(stand: Stand) -> Sample:
    """A token for nobody, to pull what everybody may."""
    request = get(_realm(stand).target(f"repository:{_OPEN}:pull"))
    load = Load(jobs=[job(request)], connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds)
    return rate(stand.run(load, None))


def _logins(stand: Stand) -> Sample:
    """A token for a password that is hashed each time: no two requests write the name in the same way."""
    realm, (name, _, password) = _realm(stand), stand.contender.accounts.password.partition(":")
    serial = stand.once("logins", count)
    names = [_written(name, next(serial)) for _ in range(stand.plan.pieces(_LOGINS))]
    return _each_once(stand, script.numbered([_ask(realm, f"{one}:{password}") for one in names]))


def _written(name: str, number: int) -> str:
    """The name with the letters in upper case that the number has as bits."""
    return "".join(letter.upper() if number >> at & 1 else letter for at, letter in enumerate(name))


def _more(stand: Stand, wanted: int) -> tuple[str, ...]:
    """Credentials that were not used yet, where they can be made; else those that there are."""
    accounts = stand.contender.accounts
    if accounts.more is None and not accounts.many:
        raise NotOffered("needs many accounts")
    return accounts.more(wanted) if accounts.more is not None else accounts.many


def _unused(stand: Stand) -> Iterator[str]:
    """Those of all rounds, in turn: what makes them is not measured."""
    return cycle(_more(stand, stand.plan.rounds * stand.plan.pieces(_COLD)))


def _make_keys(stand: Stand) -> None:
    push_image(stand)
    stand.once("unused keys", lambda: _unused(stand))


def _make_tokens(stand: Stand) -> None:
    push_image(stand)
    stand.once("unused tokens", lambda: iter(_new_tokens(stand)))


def _new_tokens(stand: Stand) -> list[str]:
    realm, wanted = _realm(stand), stand.plan.rounds * stand.plan.pieces(_COLD)
    with stand.client() as http:
        access = Access(http, stand.contender.accounts.credential)
        return [access.new_token(realm, _SCOPE)[0] for _ in range(wanted)]


def _many_accounts(stand: Stand) -> tuple[str, ...]:
    return stand.once("many accounts", lambda: _more(stand, stand.plan.pieces(_MANY)))


def _use_each(stand: Stand) -> None:
    """Whoever remembers credentials knows them all."""
    push_image(stand)
    _basic(stand)
    jobs = script.numbered([_read(basic(one)) for one in _many_accounts(stand)])
    for _ in range(_USES if stand.contender.kind == "ours" else 1):
        _each_once(stand, jobs)


def _each_once(stand: Stand, jobs: list[Job]) -> Sample:
    return rate(stand.run(Load(jobs=jobs, connections=stand.plan.connections)))


def _cold_basic(stand: Stand) -> Sample:
    """A key that was never used, with each request."""
    keys = islice(stand.once("unused keys", lambda: _unused(stand)), stand.plan.pieces(_COLD))
    return _each_once(stand, script.numbered([_read(basic(one)) for one in keys]))


def _cold_bearer(stand: Stand) -> Sample:
    """A token that was never used, with each request."""
    tokens = islice(stand.once("unused tokens", lambda: iter(_new_tokens(stand))), stand.plan.pieces(_COLD))
    return _each_once(stand, script.numbered([_read(f"Bearer {one}") for one in tokens]))


def _keys(stand: Stand) -> Sample:
    """Each key in turn."""
    jobs = script.numbered([_read(basic(one)) for one in _many_accounts(stand)])
    load = Load(jobs=jobs, connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds)
    return rate(stand.run(load))


def _many(stand: Stand) -> Sample:
    """Each account in turn: a new token, then five reads with it; reads a second."""
    accounts, realm = _many_accounts(stand), _realm(stand)
    reads = (_read(f"Bearer {TOKEN}"),) * _READS
    jobs = [job(replace(_ask(realm, account), keeps_token=True), *reads) for account in accounts]
    load = Load(jobs=jobs, connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds)
    sample = rate(stand.run(load))
    return replace(sample, value=sample.value * _READS)


def _push(stand: Stand, connections: int) -> Sample:
    """New artifacts in a private namespace, with a token for each repository, or with the password."""
    serial = next(_SERIAL)
    repositories = [f"{PRIVATE}/push{serial}-{number}" for number in range(_REPOSITORIES)]
    shown = [stand.authorization(repository, with_token=True) for repository in repositories]
    jobs = []
    for number in range(stand.plan.pieces(_PUSHES)):
        place = number % _REPOSITORIES
        jobs.append(script.authorized(artifact(repositories[place], f"{serial}.{number}"), shown[place]))
    return rate(stand.run(Load(jobs=jobs, connections=connections)))


_READ: Final = Row(
    name="auth-basic",
    title="GET manifest, hot, key or password with each request",
    unit="requests/s",
    measure=lambda stand: hot(stand, _basic(stand)),
    prepare=push_image,
    needs_accounts=True,
    quick=True,
)
_BESIDE: Final = replace(
    _READ,
    name="auth-basic-cost",
    title="GET manifest, hot, with a key beside anonymous: time",
    unit="x",
    measure=_Beside(with_basic=True).measure,
    prepare=_of_nobody,
    lower_is_better=True,
)
_TOKENS: Final = replace(_READ, name="auth-token", title="a token for a key", unit="tokens/s", measure=_tokens)
_PUSH: Final = replace(
    _READ,
    name="auth-push-1",
    title="complete small pushes with a token, 1 client",
    unit="artifacts/s",
    measure=partial(_push, connections=1),
    most_rounds=3,
)
ROWS: Final = (
    replace(
        _READ,
        name="auth-anonymous",
        title="GET manifest of a public repository, hot, anonymous",
        measure=_anonymous,
        prepare=_of_nobody,
    ),
    _READ,
    replace(
        _READ,
        name="auth-bearer",
        title="GET manifest, hot, one token",
        measure=lambda stand: hot(stand, _bearer(stand)),
    ),
    _BESIDE,
    replace(
        _BESIDE,
        name="auth-bearer-cost",
        title="GET manifest, hot, with a token beside anonymous: time",
        measure=_Beside(with_basic=False).measure,
    ),
    replace(
        _READ,
        name="auth-cold-basic",
        title="GET manifest, each with a key that is used for the first time",
        measure=_cold_basic,
        prepare=_make_keys,
        cold=True,
    ),
    replace(
        _READ,
        name="auth-cold-bearer",
        title="GET manifest, each with a token that is used for the first time",
        measure=_cold_bearer,
        prepare=_make_tokens,
        cold=True,
    ),
    replace(
        _READ, name="auth-keys", title="GET manifest, 1,000 keys or passwords in turn", measure=_keys, prepare=_use_each
    ),
    replace(_READ, name="auth-many", title="GET manifest, 1,000 accounts, a new token every 5 requests", measure=_many),
    replace(
        _TOKENS,
        name="auth-token-anonymous",
        title="a token for nobody",
        measure=_tokens_of_nobody,
        prepare=_of_nobody,
    ),
    _TOKENS,
    replace(_TOKENS, name="auth-token-password", title="a token for a password", measure=_logins, cold=True),
    _PUSH,
    replace(
        _PUSH,
        name="auth-push-32",
        title="complete small pushes with a token, 32 clients",
        measure=partial(_push, connections=32),
    ),
)
"""The rows of this file."""
