"""What all planes do with errors: seconds of a Retry-After, a ``Failure`` for a read, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from kxrecon.errors import PlaneError, Unanswered
from kxrecon.model import Failure
from kxrecon.planes.retry import UNREACHABLE

MASK = "***"

OUR_CODES = (UNREACHABLE, "NoToken", "NotPlayed", "Failed")
"""Codes that no service gave, and that say nothing which the message does not."""

ABSENT_STATUS = 404
DENIED_STATUS = (401, 403)

_OBFUSCATED = re.compile(r"""(?<!\w)[hH](@?)("(?:[^"\\]|\\.|"")*"|'(?:[^'\\]|\\.|'')*')""")
_CREDENTIAL = re.compile(
    r"(?i)\b(sig|accountkey|sharedkey|sharedaccesskey|password|pwd|token|awscredentials|client_secret)=([^;&\s\"']+)"
)
_BEARER = re.compile(r"(?i)\bbearer\s+[\w\-.~+/]{20,}=*")
_SHORTEST = 6  # shorter parts are no secrets, and masking them would make messages unreadable
_HARMLESS = re.compile(r"(?i)^;(impersonate|managed_identity=[^;]*)$")


def masked(message: str, secrets: Iterable[str] = ()) -> str:
    """``message`` without known secrets, obfuscated literals' credentials, signatures, keys and tokens."""
    for secret in sorted((one for one in secrets if one), key=len, reverse=True):
        message = message.replace(secret, MASK)
    message = _OBFUSCATED.sub(lambda match: f"h{match[1]}{_shown(match[2])}", message)
    message = _CREDENTIAL.sub(lambda match: f"{match[1]}={MASK}", message)
    return _BEARER.sub(f"Bearer {MASK}", message)


def literal_secrets(text: str) -> tuple[str, ...]:
    """What of a command's obfuscated literals a service may echo, whole or in part, and nobody should see."""
    tails = (_tail(match[2][1:-1]) for match in _OBFUSCATED.finditer(text))
    parts = (part for tail in tails for piece in re.split("[;?&]", tail) for part in _parts(piece))
    return tuple(dict.fromkeys(parts))


def _parts(piece: str) -> list[str]:
    """A key, or ``name=value``: as written, its value, and without the padding that a message may drop."""
    if not piece or _HARMLESS.match(f";{piece}"):
        return []
    forms = (piece, piece.partition("=")[2], piece.rstrip("="))
    return [form for form in forms if len(form) >= _SHORTEST]


def _tail(content: str) -> str:
    """What follows a URL's address (``?sig=…``, ``;key``), or everything if it is no URL."""
    if "://" not in content:
        return content
    at = min((content.find(mark) for mark in "?;" if mark in content), default=-1)
    return content[at:] if at >= 0 else ""


def _shown(literal: str) -> str:
    quote, content = literal[0], literal[1:-1]
    tail = _tail(content)
    if not tail or _HARMLESS.match(tail):
        return literal
    return f"{quote}{content.removesuffix(tail)}{MASK}{quote}"


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds asked for by ``Retry-After`` (seconds or a date) or ``x-ms-retry-after-ms``; None if not asked."""
    if not headers:
        return None
    lowered = {name.lower(): value for name, value in headers.items()}
    for name in ("x-ms-retry-after-ms", "retry-after-ms"):
        if lowered.get(name, "").isdigit():
            return int(lowered[name]) / 1000
    value = lowered.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def to_failure(error: PlaneError) -> Failure:
    """A read's error as the ``Failure`` that kinds see; the message keeps the service's words and request id."""
    return Failure(_reason(error), described(error), error.code)


def described(error: PlaneError) -> str:
    """The whole message: the service's words, its code and the request id for its support."""
    parts = [str(error)]
    if error.code and error.code not in OUR_CODES and error.code not in parts[0]:
        parts.append(f"[{error.code}]")
    if error.request_id:
        parts.append(f"(request {error.request_id})")
    return " ".join(parts)


def _reason(error: PlaneError) -> Literal["absent", "denied", "unreachable", "failed"]:
    if error.code == UNREACHABLE or (isinstance(error, Unanswered) and error.status is None):
        return "unreachable"
    if error.status in DENIED_STATUS or error.code in ("NoToken", "UntrustedHost"):
        return "denied"
    return "absent" if error.status == ABSENT_STATUS else "failed"
