"""Parameter lists of stored functions in one canonical spelling: ``(a:long, T:(x:string), n:int=5)``.

Source: learn.microsoft.com, User-defined functions (scalar, tabular and default parameters).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from kxrecon.kql import canonical_type, string, unquote
from kxrecon.kql_text import Token, significant

_OPEN, _CLOSE = "([{", ")]}"


def canonical_parameters(written: str | Mapping[str, str] | None) -> str:
    """The canonical text of a list given with or without its parentheses, or as name → type.

    Raises ValueError that says what is wrong.
    """
    if isinstance(written, Mapping):
        return _canonical(", ".join(f"{name}:{kind}" for name, kind in written.items()))
    return _canonical(written or "()")


@lru_cache(maxsize=20_000)
def _canonical(text: str) -> str:
    """Simple lists by splitting, because estates have thousands; all others token by token."""
    inner = _inner(text.strip())
    if not inner:
        return "()"
    simple = not any(mark in inner for mark in "(=['\"/`~")
    return f"({_split(inner) if simple else ''.join(_spell(significant(inner)))})"


def _inner(text: str) -> str:
    """What stands between the outer parentheses, if the list has them: ``(a:long), …`` has none around it all."""
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text


def _split(inner: str) -> str:
    parts = []
    for part in inner.split(","):
        name, colon, kind = part.partition(":")
        found = canonical_type(kind.strip())
        if not colon or not name.strip() or found is None:
            raise ValueError(f"not a parameter: '{part.strip()}'; parameters read 'name:type, other:type'")
        parts.append(f"{name.strip()}:{found}")
    return ", ".join(parts)


def _spell(tokens: list[Token]) -> Iterator[str]:
    depth = 0
    before = ""
    for token in tokens:
        depth += (token.text in _OPEN and token.kind == "mark") - (token.text in _CLOSE and token.kind == "mark")
        if depth < 0:
            break
        if token.kind == "string":
            yield string(unquote(token.text))
        elif token.text == ",":
            yield ", "
        elif before == ":" and token.kind == "word":
            yield canonical_type(token.text) or token.text
        else:
            yield token.text
        before = token.text
    if depth:
        raise ValueError("the parentheses of the parameters do not match")
