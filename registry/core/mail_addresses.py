"""Mail addresses (RFC 5321, section 4.1.2), as far as they are taken here: ASCII, without quotes and comments."""

import re
from typing import Final

LONGEST: Final = 254
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Whether mail can be sent to `text`; what is one holds no space, line break or comma."""
    return len(text) <= LONGEST and _ADDRESS.fullmatch(text) is not None
