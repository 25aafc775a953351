"""Names of operations in the rules of a test: one that no request can have is a test of nothing."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase

from kxrecon.sandbox.arm.app import ROUTES


def check_operation(pattern: str) -> None:
    """ValueError for a pattern that is meant for Resource Manager (``RoleAssignments_*``) and fits none of its
    operations that the sandbox imitates. Commands and statements are not listed anywhere: they may be anything."""
    known = sorted({route.name for route in ROUTES})
    if "_" not in pattern or pattern.startswith((".", "*", "[")) or " " in pattern:
        return
    if not any(fnmatchcase(name.lower(), pattern.lower()) for name in known):
        near = get_close_matches(pattern, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(known)}"
        raise ValueError(f"no operation is named {pattern!r}{hint}")
