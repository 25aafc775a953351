"""The ``$filter``s of Microsoft.Authorization: atScope(), assignedTo('…'), principalId eq '…', roleName eq '…'."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kxrecon.sandbox.arm.errors import Refusal

_TERM = re.compile(
    r"\s*(?:(?P<call>atScope|atScopeAndBelow|asTarget|assignedTo)\s*\(\s*(?:'(?P<argument>[^']*)')?\s*\)"
    r"|(?P<field>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)')\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a filter asks for; None and False: not asked."""

    at_scope: bool = False
    below: bool = False
    assigned_to: str | None = None
    principal: str | None = None
    role_name: str | None = None
    role_type: str | None = None


def parse(text: str | None) -> Filter:
    """Read a filter; 400 for what the service would not understand."""
    values: dict[str, str | bool] = {}
    rest = text or ""
    while rest.strip():
        match = _TERM.match(rest)
        if not match:
            raise _unsupported(text)
        name, value = _meaning(match, text)
        values[name] = value
        rest = rest[match.end() :]
        if rest and not (joined := re.match(r"and\s+", rest, re.IGNORECASE)):
            raise _unsupported(text)
        rest = rest[joined.end() :] if rest and joined else rest
    return Filter(**values)  # type: ignore[arg-type]


def _meaning(match: re.Match[str], text: str | None) -> tuple[str, str | bool]:
    call = (match["call"] or "").lower()
    if call == "assignedto":
        if not match["argument"]:
            raise _unsupported(text)
        return "assigned_to", match["argument"].lower()
    if call:
        return ("below" if call == "atscopeandbelow" else "at_scope"), True
    names = {"principalid": "principal", "rolename": "role_name", "type": "role_type"}
    name = names.get(match["field"].lower())
    if not name:
        raise _unsupported(text)
    return name, match["value"].replace("''", "'").lower()


def _unsupported(text: str | None) -> Refusal:
    return Refusal(400, "UnsupportedQuery", f"The filter '{text}' is not supported.")
