"""Names of tables: taken apart, and found without regard to case."""

from __future__ import annotations

from typing import Any

from kxrecon.sandbox.sql.session import Session


def find_table(session: Session, name: tuple[str, ...]) -> tuple[str, str] | None:
    """Schema and table as they are spelled; names are compared without case, dbo is the default."""
    wanted = (name[-2] if len(name) > 1 else "dbo").lower(), name[-1].lower()
    return next((key for key in session.tables() if (key[0].lower(), key[1].lower()) == wanted), None)


def parts(name: Any) -> tuple[str, ...]:
    """The parts of a name in a string: ``dbo.T``, ``[dbo].[T]``."""
    parts, rest = [], str(name)
    while rest:
        if rest.startswith("["):
            end = rest.replace("]]", "\0\0").find("]")
            parts.append(rest[1:end].replace("]]", "]") if end > 0 else rest[1:])
            rest = rest[end + 1 :].removeprefix(".") if end > 0 else ""
        else:
            head, _, rest = rest.partition(".")
            parts.append(head)
    return tuple(parts) or ("",)
