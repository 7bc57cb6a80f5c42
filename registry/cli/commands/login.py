"""`gati login`: by password or by key, without a browser."""

import click

from registry.cli.commands_of import Command
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run, read_line
from registry.cli.session import address_of, logins_of
from registry.cli.sign_in import Place, by_password, by_token, keep


@click.command(cls=Command)
@click.argument("named", metavar="[REGISTRY]", required=False)
@click.option("--username", "-u", help="The name of your account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--api-key-stdin", "--token-stdin", "token_stdin", is_flag=True, help="Read a key from standard input.")
@click.option("--no-docker", is_flag=True, help="Leave docker, podman, oras, crane and cosign alone.")
@pass_run
def command(
    run: Run, named: str | None, username: str | None, *, password_stdin: bool, token_stdin: bool, no_docker: bool
) -> None:
    """Log in to REGISTRY, and docker, podman, skopeo, oras, crane, cosign and helm with it.

    A password is never kept: it begins a session, which is renewed when it is used, and makes a key for docker that is
    good for 90 days. With --api-key-stdin the key itself is kept.
    """
    logins = logins_of(run)
    place = Place(run, logins, address_of(run, logins, named), with_docker=not no_docker)
    if password_stdin and token_stdin:
        raise Problem("A password and a key cannot both come from standard input.", "Choose one of the two.")
    if token_stdin:
        run.out.done("", keep(place, by_token(place, read_line("A key"))))
        return
    _by_password(place, username, from_stdin=password_stdin)


def _by_password(place: Place, username: str | None, *, from_stdin: bool) -> None:
    name = username or place.run.ask(f"Username at {place.address.host}", "--username")
    password = place.run.password(f"Password of {name}", from_stdin=from_stdin)
    login, must_change = by_password(place, name, password)
    if must_change:
        place = Place(place.run, place.logins, place.address, with_docker=False)
    document = keep(place, login) | {"mustChangePassword": must_change}
    if must_change:
        place.run.out.warn("The password must be changed before anything else: run gati account password.")
    place.run.out.done("", document)
