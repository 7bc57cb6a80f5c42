"""A closed registry, the people in it, and what each client's words are for what they do there."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import httpx
import pytest

from registry.admin import running
from registry.auth.realm import Realm
from registry.auth.signing import KeyRing
from registry.auth.tokens import SigningKey
from registry.config import load
from tests.access.world import One, World
from tests.clients.images import layout, new_image, tar
from tests.clients.programs import Program, Registry

PASSWORD: Final = "many long words of nobody"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Stage:
    """What a world acts on, where the registry is another process."""

    realm: Realm

    def access(self) -> "_Stage":
        """Itself: it has the realm."""
        return self


@dataclass
class Closed:
    """A running registry that lets in those with accounts.

    Attributes:
        registry: as its owner sees it.
        owner: with a password and a key; owns `private`, which is `namespace`, and `public`: names begin with these.
        reader, robot: may read `private`, and write there.
        stranger: may see none of it, and owns `hidden`.
    """

    data: Path
    url: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    registry: Registry = field(init=False)
    signing_key: SigningKey = field(init=False)
    owner: One = field(init=False)
    reader: One = field(init=False)
    robot: One = field(init=False)
    stranger: One = field(init=False)
    namespace: int = field(init=False)
    private: str = field(init=False)
    public: str = field(init=False)
    hidden: str = field(init=False)

    @property
    def host(self) -> str:
        """`address:port`, as references begin."""
        return self.url.removeprefix("http://")

    def act(self, action: Callable[[World], Awaitable[T]]) -> T:
        """Have something done to accounts, beside the running registry."""

        async def run() -> T:
            settings = load({"GATI_DATA_DIR": str(self.data)})
            async with running.household(settings) as house:
                return await action(World(_Stage(house.realm), self.numbers))

        return asyncio.run(run())

    async def settle(self, world: World) -> None:
        """Make the people and the namespaces."""
        self.signing_key = await KeyRing(world.realm).signing(time.time())
        self.owner = await world.user("olga", password=PASSWORD)
        self.reader, self.stranger = await world.user("rita"), await world.user("samuel")
        self.namespace, self.private = await world.org(self.owner)
        self.robot = await world.robot(self.namespace, "write")
        await world.join(self.namespace, self.reader, "read")
        self.public = (await world.org(self.owner, "public"))[1]
        self.hidden = (await world.org(self.stranger))[1]

    def new(self, beginning: str) -> str:
        """The name of a repository that nobody has used before, in the namespace that begins so."""
        return f"{beginning}/{secrets.token_hex(5)}"

    def reference(self, repository: str, tag: str = "v1") -> str:
        """What a user writes."""
        return self.registry.reference(repository, tag)

    def seen_by(self, one: One) -> httpx.Client:
        """The registry, with somebody's key."""
        return httpx.Client(base_url=self.url, auth=(one.name, one.key), timeout=30)

    def pushed(self, beginning: str) -> str:
        """A repository that holds a new image as `v1`."""
        repository = self.new(beginning)
        owner = self.stranger if beginning == self.hidden else self.owner
        with self.seen_by(owner) as http:
            Registry(http).push(repository, new_image())
        return repository

    def newcomer(self) -> One:
        """Somebody new who may write in `private`."""

        async def join(world: World) -> One:
            one = await world.user(f"newcomer-{secrets.token_hex(3)}")
            await world.join(self.namespace, one, "write")
            return one

        return self.act(join)

    def revoke(self, one: One) -> None:
        """End the keys of somebody, as they do it themselves."""
        with self.seen_by(one) as http:
            for key in http.get("/v1/api-keys").json()["items"]:
                assert http.delete(f"/v1/api-keys/{key['id']}").status_code == 204


Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A client's words for logging in, pushing and pulling; `{id}` is what `prepare` prints.

    Attributes:
        user: how `--username` and `--password-stdin` are called.
        refusal: what it says when a password is wrong.
    """

    login: Words
    push: Words
    pull: Words
    prepare: Words = ()
    user: Words = ("--username", "--password-stdin")
    refusal: str = "The user name or the password is wrong."


_PLAIN: Final = "--tls-verify=false"
_STORED: Final = ("pull", "--quiet", "oci:{layout}:v1")
_FIXED: Final = "invalid username/password"
FLOWS: Final[dict[str, Flow]] = {
    "buildah": Flow(
        ("login", _PLAIN),
        ("push", _PLAIN, "{id}", "docker://{reference}"),
        ("pull", _PLAIN, "--policy=always", "{reference}"),
        _STORED,
        refusal=_FIXED,
    ),
    "crane": Flow(("auth", "login"), ("push", "{layout}", "{reference}"), ("pull", "{reference}", "{out}")),
    "docker": Flow(("login",), ("push", "{reference}"), ("pull", "{reference}"), ("import", "-", "{reference}")),
    "oras": Flow(
        ("login", "--plain-http"),
        ("cp", "--from-oci-layout", "--to-plain-http", "{layout}:v1", "{reference}"),
        ("cp", "--from-plain-http", "--to-oci-layout", "{reference}", "{out}:v1"),
    ),
    "podman": Flow(
        ("login", _PLAIN),
        ("push", _PLAIN, "{id}", "docker://{reference}"),
        ("pull", _PLAIN, "{reference}"),
        _STORED,
        refusal=_FIXED,
    ),
    "regctl": Flow(
        ("registry", "login"),
        ("image", "copy", "ocidir://{layout}:v1", "{reference}"),
        ("image", "copy", "{reference}", "ocidir://{out}:v1"),
        user=("--user", "--pass-stdin"),
        refusal="unauthorized",
    ),
    "skopeo": Flow(
        ("login", _PLAIN),
        ("copy", "--dest-tls-verify=false", "oci:{layout}:v1", "docker://{reference}"),
        ("copy", "--src-tls-verify=false", "docker://{reference}", "oci:{out}:v1"),
        refusal=_FIXED,
    ),
}
OTHERS: Final[dict[str, Flow]] = {
    "cosign": Flow(("login",), (), ()),
    "helm": Flow(("registry", "login", "--plain-http"), (), ()),
}
FORGETFUL: Final = frozenset({"crane", "cosign"})
"""They store whatever they are given at login, and ask nobody."""


_TOGETHER: Final = {"docker": (pytest.mark.xdist_group("docker"),)}
NAMES: Final = [pytest.param(name, marks=_TOGETHER.get(name, ())) for name in FLOWS]
"""The clients as parameters of a test; those that share a daemon stay together."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client with a home of its own and somewhere to put what it pulls."""

    name: str
    program: Program
    host: str
    folder: Path

    @property
    def flow(self) -> Flow:
        """Its words."""
        return (FLOWS | OTHERS)[self.name]

    def at(self, host: str) -> "Client":
        """The same client, for the registry at another address."""
        if self.name == "regctl":
            self.program("registry", "set", "--skip-check", "--tls=disabled", host)
        return Client(self.name, self.program, host, self.folder)

    def log_in(self, name: str, secret: str, *, fails: bool = False) -> str:
        """Log in with a secret from standard input; what it says."""
        user, stdin = self.flow.user
        done = self.program.run(*self.flow.login, user, name, stdin, self.host, stdin=secret.encode())
        said = (done.stderr + done.stdout).decode()
        assert (done.returncode != 0) == fails, said
        return said

    def push(self, reference: str, *, fails: bool = False) -> str:
        """Push a new image; what it says."""
        image, number = new_image(), secrets.token_hex(4)
        values = {"layout": str(layout(self.folder / number, image)), "reference": reference, "id": ""}
        if self.flow.prepare:
            stdin = tar({"file": image.file}) if self.name == "docker" else b""
            values["id"] = self.program(*_filled(self.flow.prepare, values), stdin=stdin).splitlines()[-1]
        words = _filled(self.flow.push, values)
        return self.program.fails(*words) if fails else self.program(*words)

    def pull(self, reference: str, *, fails: bool = False) -> str:
        """Pull an image; what it says."""
        values = {"reference": reference, "out": str(self.folder / secrets.token_hex(4))}
        words = _filled(self.flow.pull, values)
        return self.program.fails(*words) if fails else self.program(*words)


def _filled(words: Words, values: dict[str, str]) -> Words:
    return tuple(word.format(**values) for word in words)
