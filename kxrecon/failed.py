"""What is told of a request that failed: the service's words and request id, what was sent, and what to do next."""

from __future__ import annotations

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.leaves import shown_text
from kxrecon.model import Request
from kxrecon.planes.failures import DENIED_STATUS, described
from kxrecon.planes.retry import UNREACHABLE

HIDDEN_OR_ABSENT = "15151"  # SQL Server: it does not exist, or you have no permission on it
LONGEST = 600  # characters of a request that are shown: few have more; the plan has it whole


def told(error: PlaneError, request: Request) -> str:
    """One paragraph. Secrets of the request are shown by their names: it must not be bound yet."""
    words, line = described(error).rstrip("."), _line(request)
    sent = "" if words.startswith(line) else f" Sent: {line}."
    return f"{words}.{sent} Next: {_next(error)}."


def _line(request: Request) -> str:
    text = " ".join(shown_text(request.text).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _next(error: PlaneError) -> str:
    if isinstance(error, Throttled):
        return "apply again later; it goes on from here"
    if isinstance(error, Unanswered) or error.code == UNREACHABLE:
        return "look whether the service can be reached, then apply again; what did arrive is not sent twice"
    if error.code == HIDDEN_OR_ABSENT:
        return "make it if it is not there, else kxrecon permissions SPEC tells which rights whoever applies needs"
    if error.status in DENIED_STATUS:
        return "kxrecon permissions SPEC tells which rights whoever applies needs"
    if not error.permanent:
        return "apply again later; the service was busy with something else"
    return "mend what the service names, then plan and apply again"
