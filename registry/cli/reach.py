"""The registry for commands that anybody may use: as the user who is logged in, else as nobody."""

from dataclasses import dataclass

import click

from registry.cli import places
from registry.cli.addresses import Address
from registry.cli.api import Api, Credential
from registry.cli.catalog import Catalog
from registry.cli.logins import Login
from registry.cli.oci import Oci
from registry.cli.run import Run
from registry.cli.session import Kept, address_of, logins_of


@dataclass(frozen=True, slots=True)
class Reach:
    """A registry as a command sees it; `account` is who is logged in, None for nobody."""

    address: Address
    api: Api
    oci: Oci
    account: str | None

    @property
    def home(self) -> str | None:
        """The namespace of the account."""
        return None if self.account is None else f"users/{self.account}"

    @property
    def catalog(self) -> Catalog:
        """What there is, bare names being looked for in `home` first."""
        return Catalog(self.api, self.home)


def reach(run: Run) -> Reach:
    """The registry that is meant, closed with the command."""
    logins = logins_of(run)
    address = address_of(run, logins)
    login = logins.get(address.url)
    credential: Credential | None = None if login is None else Kept(logins, login, address, run.out)
    context = click.get_current_context()
    api = context.with_resource(Api(address, run.out, credential))
    oci = context.with_resource(Oci(address, run.out, credential, places.cache(run.environ)))
    return Reach(address, api, oci, _account(login))


def _account(login: Login | None) -> str | None:
    return login.account or None if login is not None else None
