"""The keyring of the operating system, where it has one that works."""

from typing import Final

import keyring
from keyring.errors import PasswordDeleteError

_SERVICE: Final = "gati"
_USELESS: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class RingFailed(Exception):
    """The keyring refused; the message is its own."""


class Ring:
    """Secrets by the address of their registry.

    Backends raise whatever their libraries do (D-Bus, Security, ctypes); each of these is the same to a caller.
    """

    @staticmethod
    def works() -> bool:
        """Whether there is a keyring that keeps secrets, and not in plain text."""
        try:
            found = keyring.get_keyring()
            chained = list(getattr(found, "backends", [found]))
        except Exception:  # noqa: BLE001 - a broken backend is none
            return False
        return bool(chained) and not any(type(one).__module__.startswith(_USELESS) for one in chained)

    @staticmethod
    def get(registry: str) -> str | None:
        """The secret of a registry, None when there is none.

        Raises:
            RingFailed: the keyring is locked or broken.
        """
        try:
            return keyring.get_password(_SERVICE, registry)
        except Exception as error:
            raise RingFailed(_words(error)) from error

    @staticmethod
    def put(registry: str, secret: str) -> None:
        """Keep the secret of a registry.

        Raises:
            RingFailed: the keyring is locked or broken.
        """
        try:
            keyring.set_password(_SERVICE, registry, secret)
        except Exception as error:
            raise RingFailed(_words(error)) from error

    @staticmethod
    def drop(registry: str) -> None:
        """Forget the secret of a registry, if there is one.

        Raises:
            RingFailed: the keyring is locked or broken.
        """
        try:
            keyring.delete_password(_SERVICE, registry)
        except PasswordDeleteError:
            return
        except Exception as error:
            raise RingFailed(_words(error)) from error


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
