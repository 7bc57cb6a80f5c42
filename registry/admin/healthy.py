"""`python -m registry.admin.healthy`: exit status 0 when the registry of this container answers /health."""

import http.client
import ssl
import sys
from typing import Final

from registry.config import ConfigurationError, Settings, load_environment

_SECONDS: Final = 4.0
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def is_healthy(settings: Settings) -> bool:
    """Whether the registry on this machine answers; its certificate is for others, so it is not checked here."""
    host = _WILDCARDS.get(settings.host, settings.host)
    if settings.tls_certificate is None:
        connection = http.client.HTTPConnection(host, settings.port, timeout=_SECONDS)
    else:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, settings.port, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """The exit status."""
    try:
        return 0 if is_healthy(load_environment()) else 1
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
