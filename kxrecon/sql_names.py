"""Names of SQL Server's tables in one spelling, however they are quoted: ``[dbo].[Events]`` is ``dbo.Events``.

Source: learn.microsoft.com, Database identifiers (Transact-SQL).
"""

from __future__ import annotations

import re

_PART = re.compile(r"""\s*(?:\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.\[\]"]*?))\s*(?:\.|\Z)""")
_PLAIN = re.compile(r'[^.\[\]"\s](?:[^.\[\]"]*[^.\[\]"\s])?')


def parts(name: str) -> tuple[str, ...]:
    """The parts of a name without their quotes; a text that is no such name is one part."""
    found, position = list[str](), 0
    while position < len(name):
        match = _PART.match(name, position)
        if match is None or name.endswith("."):
            return (name,)
        bracketed, quoted, plain = match.groups()
        if bracketed is not None:
            found.append(bracketed.replace("]]", "]"))
        else:
            found.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
    return tuple(found) or (name,)


def canonical(name: str) -> str:
    """A name with brackets only around the parts that need them."""
    found = parts(name)
    return name if found == (name,) else ".".join(_shown(part) for part in found)


def schema_and_table(name: str) -> tuple[str, str]:
    """Schema and table of a name; the schema is ``dbo`` if none is said."""
    found = parts(name)
    return (found[-2] if len(found) > 1 and found[-2] else "dbo", found[-1])


def _shown(part: str) -> str:
    return part if not part or _PLAIN.fullmatch(part) else f"[{part.replace(']', ']]')}]"
