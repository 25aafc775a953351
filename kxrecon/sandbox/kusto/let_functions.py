"""``let F = () { T | where … };``: a query's own functions without parameters, written as what they stand for.

The evaluator knows ``let T = …`` and no such function. A name that is bound to a query instead means the same, as long
as the function is one statement ("learn.microsoft.com, let statement"; "User-defined functions").
"""

from __future__ import annotations

from kxrecon.sandbox.kusto.cursor_functions import Token, name_of, tokens

_PAIRS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def plain(query: str) -> str:
    """The query with such functions as plain bindings and their calls as plain names; others stay as they are."""
    found = tokens(query)
    edits: list[tuple[int, int, str]] = []
    names: set[str | None] = set()
    for place, token in enumerate(found):
        body = _body(found, place) if token.text == "let" else None
        if body is not None:
            opening, closing = body
            edits += [(found[place + 3].start, found[opening].end, ""), (found[closing].start, found[closing].end, "")]
            names.add(name_of(found[place + 1]))
    edits += [
        (one.start, two.end, "")
        for name, one, two in zip(found, found[1:], found[2:], strict=False)
        if name_of(name) in names - {None} and (one.text, two.text) == ("(", ")")
    ]
    for start, end, text in sorted(edits, reverse=True):
        query = query[:start] + text + query[end:]
    return query


def _body(found: list[Token], place: int) -> tuple[int, int] | None:
    """The places of the braces of ``let F = [view] () { … }``; None if it is not that, or of several statements.

    Functions that give a value are left alone: a bare name might be that of a column.
    """
    texts = [token.text for token in found[place + 2 : place + 7]]
    skipped = 1 if texts[1:2] == ["view"] else 0
    if texts[:1] != ["="] or texts[1 + skipped : 4 + skipped] != ["(", ")", "{"]:
        return None
    opening, depth, pipes = place + 5 + skipped, 0, 0
    for index in range(opening, len(found)):
        text = found[index].text
        depth += _PAIRS.get(text, 0)
        pipes += text == "|" and depth == 1
        if depth == 0:
            named = index == opening + 2 and name_of(found[opening + 1]) is not None
            return (opening, index) if pipes or named else None
        if text == ";" and depth == 1 and found[index + 1].text != "}":
            return None
    return None
