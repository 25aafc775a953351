"""The body of a request to any of the sandbox's services, as JSON."""

from __future__ import annotations

import json
from typing import Any


def parsed(raw: bytes | str) -> Any:
    """The JSON value. Raises ValueError, for half of a surrogate pair too (no UTF-8 could say it again in an
    answer), and RecursionError for what is nested too deeply."""
    value = json.loads(raw)
    escaped = "\\u" in raw if isinstance(raw, str) else b"\\u" in raw
    if escaped:
        json.dumps(value, ensure_ascii=False).encode()
    return value
