"""Is a command certain to keep nothing? What a read-only run may send although it needs the right to write.

With ``dryRun=true`` the service checks the definition of an external table and does not persist it
(learn.microsoft.com, Create and alter Azure Storage external tables, optional properties). That is said of this one
command only, so anything that is not token by token this command, with this property, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kxrecon.kql_text import Token, tokens

_HEAD = (".", "create", "-", "or", "-", "alter", "external", "table", "[", "", "]", "(")
# The clauses of the command with each bracket's content left out; the properties are its end.
_CLAUSES = re.compile(
    r"\( \) kind = storage (partition by \( \) (pathformat = \( \) )?)?dataformat = \w+ \( \) with \( \)"
)
# The forms of a literal in which a line cannot end unseen: a name, a text, a connection string.
_LITERAL = re.compile(r"""(?:[hH]?@)?(?:'[^\r\n\x85\u2028\u2029]*'|"[^\r\n\x85\u2028\u2029]*")""")
_SWITCH = ("dryrun", "true")


def is_rehearsal(command: str) -> bool:
    """True if a command is the definition of an external table that is only to be checked."""
    parts = [one for one in tokens(command) if one.kind != "space"]
    if not _is_plain(parts) or not _begins(parts):
        return False
    clauses, properties = _taken_apart(parts[len(_HEAD) - 1 :])
    if not _CLAUSES.fullmatch(clauses):
        return False
    pairs = list(_pairs(properties))
    names = [name for name, _ in pairs]
    return _SWITCH in pairs and len(set(names)) == len(names) and "" not in names


def _is_plain(parts: Sequence[Token]) -> bool:
    """No comment, no fence, no literal beside another: nothing that two lexers might read in two ways."""
    literals = [one.kind == "string" for one in parts]
    beside = any(one and other for one, other in zip(literals, literals[1:], strict=False))
    odd = any(one.kind == "comment" or one.text in ("'", '"', "`", "~", "@", "\\") for one in parts)
    return not beside and not odd and all(_LITERAL.fullmatch(one.text) for one in parts if one.kind == "string")


def _begins(parts: Sequence[Token]) -> bool:
    texts = ["" if one.kind == "string" else one.text for one in parts[: len(_HEAD)]]
    return tuple(texts) == _HEAD


def _taken_apart(parts: Sequence[Token]) -> tuple[str, list[Token]]:
    """The clauses without what stands in brackets, and what stands in the last bracket."""
    outside: list[str] = []
    inside: list[Token] = []
    depth = 0
    for one in parts:
        opens, closes = one.text in ("(", "[", "{"), one.text in (")", "]", "}")
        if opens and depth == 0:
            inside = []
        elif depth and not (closes and depth == 1):
            inside.append(one)
        depth += opens - closes
        if depth < 0:
            return "", []
        if (opens and depth == 1) or depth == 0:
            outside.append(one.text)
    return (" ".join(outside), inside) if depth == 0 else ("", [])


def _pairs(properties: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Name and value of each ``name=value``; no name for anything else."""
    found: list[list[Token]] = [[]]
    for one in properties:
        if one.text == ",":
            found.append([])
        else:
            found[-1].append(one)
    for part in found:
        fits = len(part) == 3 and part[0].kind == "word" and part[1].text == "="
        yield (part[0].text.lower(), part[2].text) if fits else ("", "")
