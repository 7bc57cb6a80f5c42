"""Who may do what, before a door acts. Open: everybody is a writer. Closed: nobody, until there are accounts."""

from collections.abc import Mapping

from registry.auth.admission import Admission
from registry.auth.model import ANYBODY
from registry.core.errors import Unauthorized
from registry.infra.http.counters import GLOBAL, Counters
from registry.infra.http.origin import BrowserGuard


class Guard:
    """Decides for every request of the OCI door.

    Attributes:
        counters: what a decision that is remembered is held against; None while nothing is.
    """

    def __init__(self, browsers: BrowserGuard, realm: str | None, *, is_open: bool) -> None:
        self._browsers = browsers
        self._realm = realm
        self._open = is_open
        self.counters: Counters | None = None

    def admit(self, headers: Mapping[str, str], name: str | None, actions: str) -> Admission:
        """The caller, allowed `actions` (`pull`, `pull,push` …) on the repository `name`.

        Raises:
            Denied: a page of a stranger may be behind it.
            Unauthorized: the registry is closed; the answer carries one Bearer challenge.
        """
        if self._open:
            stamp = self.counters.stamp((GLOBAL,)) if self.counters is not None else None
            self._browsers.check(headers)
            return Admission(ANYBODY, stamp)
        base = self._realm or f"http://{headers.get('host', 'localhost')}"
        challenge = f'Bearer realm="{base}/token",service="gati-registry"'
        if name is not None:
            challenge += f',scope="repository:{name}:{actions}"'
        raise Unauthorized(
            "This registry is closed and has no accounts: its operator starts it with ACCESS=open to let everybody in.",
            headers={"WWW-Authenticate": challenge},
        )
