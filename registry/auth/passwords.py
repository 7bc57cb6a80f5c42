"""Passwords: argon2id (RFC 9106), off the event loop."""


class Passwords:
    """Hashes and checks passwords in a few threads."""
