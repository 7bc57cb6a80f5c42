"""The Warning field of an answer (RFC 7234, section 5.5). Pure."""

import re
from typing import Final

_LONGEST: Final = 500
_UNSAID: Final = re.compile(r"[^\x20-\x7e]")


def warning(notice: str) -> str:
    """A Warning that says this, in ASCII, cut to what a header takes."""
    text = _UNSAID.sub("?", " ".join(notice.split())[:_LONGEST])
    return '299 - "{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
