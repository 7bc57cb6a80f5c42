"""What the registry writes to people: plain text, with no address of a site but its own. Pure."""

from email.message import EmailMessage
from typing import Final

_SIGNATURE: Final = "This mail was written by a program; nobody reads answers to it."


def verification(to: str, name: str, code: str, public_url: str | None) -> EmailMessage:
    """A code that proves the address of the account `name`; good for 24 hours."""
    return _letter(
        to,
        "Confirm your e-mail address",
        f"The account {name}{_at(public_url)} gave this address as its own.",
        f"If that was you, confirm it within 24 hours, logged in as {name}:",
        f"    gati account verify {code}",
        "If it was not you, do nothing: the address stays unconfirmed.",
    )


def reset(to: str, name: str, code: str, public_url: str | None) -> EmailMessage:
    """A code that takes the place of the password of the account `name`; good for an hour."""
    return _letter(
        to,
        "Choose a new password",
        f"Somebody asked for a new password for the account {name}{_at(public_url)}.",
        "If that was you, choose one within an hour:",
        f"    gati account reset {code}",
        "That logs you out everywhere. API keys stay valid: they do not depend on the password. Look through them with "
        "`gati key list` and revoke those that somebody else may have.",
        "If it was not you, do nothing: the password stays as it is.",
    )


def address_changed(to: str, name: str, public_url: str | None) -> EmailMessage:
    """A note to the address that an account had until now."""
    return _letter(
        to,
        "Your e-mail address was changed",
        f"The account {name}{_at(public_url)} has another e-mail address from now on; no mail will come here any more.",
        "If that was not you, ask an administrator of the registry to suspend the account.",
    )


def password_changed(to: str, name: str, public_url: str | None) -> EmailMessage:
    """A note to the owner of an account that has a new password."""
    return _letter(
        to,
        "Your password was changed",
        f"The account {name}{_at(public_url)} has a new password. It was logged out everywhere else; "
        "API keys stay valid.",
        "If that was not you, ask an administrator of the registry to suspend the account.",
    )


def _at(public_url: str | None) -> str:
    return f" of the registry {public_url}" if public_url is not None else ""


def _letter(to: str, subject: str, *paragraphs: str) -> EmailMessage:
    message = EmailMessage()
    message["To"] = to
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
    message.set_content("\n\n".join((*paragraphs, _SIGNATURE)) + "\n", cte="quoted-printable")
    return message
