"""`gati account`: the account of its user."""

import click

from registry.cli.api import route
from registry.cli.commands_of import Group
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run
from registry.cli.session import address_of, connect, logins_of, visit
from registry.cli.sign_in import Place, by_password, forget, keep


@click.group(cls=Group)
def command() -> None:
    """Make an account, verify its address, change or reset its password, end its sessions."""


@command.command()
@click.option("--username", "-u", help="Its name, also that of its namespace.")
@click.option("--email", help="Where mail reaches you.")
@click.option("--display-name", help="How pages call you.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@pass_run
def create(
    run: Run, username: str | None, email: str | None, display_name: str | None, *, password_stdin: bool
) -> None:
    """Make an account."""
    name = username or run.ask("Username", "--username")
    body = {
        "username": name,
        "email": email or run.ask("E-mail address", "--email"),
        "password": run.password(f"Password for {name}", from_stdin=password_stdin, twice=True),
        "displayName": display_name,
    }
    made = visit(run).call("POST", route("users"), body).body
    run.out.done(f"Made the account {made.get('username', name)}. Log in with gati login --username {name}.", made)
    if made.get("notice"):
        run.out.say(str(made["notice"]))
    if made.get("emailVerified") is False:
        run.out.say(f"If the registry sends mail, {body['email']} gets a code: log in, then gati account verify CODE.")


@command.command()
@click.argument("code", required=False)
@click.option("--resend", is_flag=True, help="Have another code sent to your address.")
@pass_run
def verify(run: Run, code: str | None, *, resend: bool) -> None:
    """Verify your e-mail address with the CODE of the mail."""
    if resend:
        connect(run).call("POST", route("users", "verify-email", "resend"))
        run.out.done("Another code is on its way.")
        return
    if code is None:
        raise Problem("The code of the mail is missing.", "Run gati account verify CODE, or --resend for another.")
    connect(run).call("POST", route("users", "verify-email"), {"token": code})
    run.out.done("The address is verified.")


@command.command()
@click.argument("code", required=False)
@click.option("--request", "name", metavar="NAME", help="Have a code sent to the address of this account.")
@click.option("--password-stdin", is_flag=True, help="Read the new password from standard input.")
@pass_run
def reset(run: Run, code: str | None, name: str | None, *, password_stdin: bool) -> None:
    """Set a new password with the CODE of a mail, which --request NAME has sent to you."""
    if (code is None) == (name is None):
        raise Problem("Give either the code of the mail or --request with a name or address.")
    if name is not None:
        visit(run).call("POST", route("auth", "reset"), {"email" if "@" in name else "username": name})
        run.out.done(f"If there is an account of {name} with an address, mail with a code is on its way.")
        return
    password = run.password("New password", from_stdin=password_stdin, twice=True)
    visit(run).call("POST", route("auth", "reset", "confirm"), {"token": code, "password": password})
    run.out.done("The password is set. Log in with gati login.")


@command.command()
@click.option("--password-stdin", is_flag=True, help="Read the old and the new password, a line each.")
@pass_run
def password(run: Run, *, password_stdin: bool) -> None:
    """Change your password, and log in with it."""
    logins = logins_of(run)
    place = Place(run, logins, address_of(run, logins))
    api = connect(run)
    login = logins.get(place.address.url)
    name = "" if login is None else login.account
    current = run.password("Current password", from_stdin=password_stdin)
    new = run.password("New password", from_stdin=password_stdin, twice=True)
    api.call("POST", route("me", "password"), {"current": current, "password": new})
    run.out.say("The password is changed.")
    if login is not None and login.renewal is not None:
        keep(place, by_password(place, name, new)[0])
    run.out.done("", {"account": name})


@command.command()
@click.option("--password-stdin", is_flag=True, help="Read your password from standard input.")
@pass_run
def delete(run: Run, *, password_stdin: bool) -> None:
    """Delete your account. Nobody can ever have its name again."""
    logins = logins_of(run)
    place = Place(run, logins, address_of(run, logins))
    api = connect(run)
    login = logins.get(place.address.url)
    name = "" if login is None else login.account
    run.confirm(f"The account {name} is deleted, with its keys and sessions.", name)
    words = run.password(f"Password of {name}", from_stdin=True) if password_stdin else None
    api.call("DELETE", route("me"), {"password": words})
    if login is not None:
        forget(place, login)
    run.out.done(f"The account {name} is deleted.", {"account": name})


@command.group(invoke_without_command=True)
@click.pass_context
def sessions(context: click.Context) -> None:
    """List and end what you are logged in by."""
    if context.invoked_subcommand is None:
        context.invoke(list_sessions)


@sessions.command("list")
@pass_run
def list_sessions(run: Run) -> None:
    """List sessions and refresh tokens."""
    run.out.table(
        connect(run).items(route("me", "sessions")),
        ("id", "kind", "name", "createdAt", "lastUsedAt", "expiresAt", "isCurrent"),
    )


@sessions.command("end")
@click.argument("session")
@pass_run
def end_session(run: Run, session: str) -> None:
    """End the session of this id."""
    connect(run).call("DELETE", route("me", "sessions", session))
    run.out.done(f"The session {session} has ended.", {"id": session})
