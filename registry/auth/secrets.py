"""Secrets that registries give out, and the file of what they are kept with."""


class Secrets:
    """The peppers of this registry."""
