"""`gati logout`."""

import click

from registry.cli.commands_of import Command
from registry.cli.run import Run, pass_run
from registry.cli.session import address_of, logins_of
from registry.cli.sign_in import Place, end


@click.command(cls=Command)
@click.argument("named", metavar="[REGISTRY]", required=False)
@pass_run
def command(run: Run, named: str | None) -> None:
    """Revoke the session and the key that login made, and erase them from this machine.

    A key of your own that you logged in with is erased, too, but stays good: gati key revoke ends it.
    """
    logins = logins_of(run)
    place = Place(run, logins, address_of(run, logins, named))
    end(place)
    run.out.done(f"Logged out of {place.address.url}.", {"registry": place.address.url})
