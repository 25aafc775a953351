"""Which names a text certainly reads rows from: what stands where KQL wants a table, whatever else it names.

A lexer's view: a name in another place may be a column of the same name, and is left out.
("learn.microsoft.com, join operator"; "union operator"; "lookup operator"; "let statement".)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kxrecon.kql_text import Token, significant

# Words before a bracket that holds a table.
_TAKING = frozenset({"toscalar", "materialize", "view", "union", "join", "lookup"})
_COMBINING = frozenset({"join", "lookup", "union"})
# What may stand there and is no table: the words of statements, and of operators in ``partition``, ``fork``, ``facet``.
_NOT_SOURCES = frozenset(
    """
    let set declare alias pattern restrict print range datatable find search union database cluster external_table
    externaldata materialize view evaluate invoke where filter take limit top sort order project extend summarize
    distinct count mv parse sample render serialize as make reduce scan fork facet partition consume getschema join
    lookup macro graph entity_group assert true false
    """.split()  # noqa: SIM905  a list of forty quoted words is no easier to read
)
# Words behind which a table other than the first may be read, in a form that ``sources`` does not tell from others.
_READING = frozenset({*_TAKING, "table", "database", "cluster", "find", "search", "invoke", "macro", "graph"})
_WILD = frozenset({"union", "find", "search"})
_LISTS = frozenset({"in", "has_any", "has_all"})
# Without any of these the table can only stand at the beginning.
_MORE = frozenset({"(", "{", ";", *_COMBINING})


def sources(tokens: Sequence[Token], *, fuzzy: bool = False) -> list[Token]:
    """The tokens (a word, or the string in ``['…']``) that name a table or function of the text's own database.

    ``fuzzy``: those of a fuzzy union as well, which need not be there.
    """
    if _MORE.isdisjoint([one.text for one in tokens]):
        first = _at(tokens, 0)
        return [first] if first is not None else []
    pairs = list(zip(tokens, tokens[1:], strict=False))
    bound = {two.text for one, two in pairs if one.text == "let"} | {one.text for one, two in pairs if two.text == ":"}
    found = (_at(tokens, place) for place in dict.fromkeys(_places(tokens, fuzzy)))
    return [one for one in found if one is not None and one.name not in bound]


def tables(text: str) -> frozenset[str]:
    """Names of tables of its own database that a text certainly reads from, and does not call as functions."""
    tokens = significant(text)
    called = _calls(tokens)
    return frozenset(one.name for one in sources(tokens) if one.name not in called)


def _calls(tokens: Sequence[Token]) -> set[str]:
    return {one.text for one, two in zip(tokens, tokens[1:], strict=False) if one.kind == "word" and two.text == "("}


def reads_more(rest: Sequence[Token], fact: str, alone: bool, functions: Mapping[str, str]) -> bool:
    """Whether what follows the fact table that a query begins with may read that table again, by itself or by a
    stored function; with ``alone`` whether it may read any other table. In doubt it does.

    ``functions``: bodies by name. One that is not among them may be built in, unless it stands where a table is wanted.
    """
    bodies = _called(rest, functions)
    names = {name for part in (rest, *bodies.values()) for name in _names(part)}
    if fact in names or any(one.text == ";" for one in rest[:-1]):
        return True
    wide = any(one.text == "*" for one in rest) and bool(names & _WILD)
    unknown = {one.name for one in _read_behind(rest) if one.name in _calls(rest)} - bodies.keys()
    if wide or unknown:
        return True
    return alone and bool(bodies or names & _READING or _read_behind(rest) or any(_listed(rest)))


def _names(tokens: Sequence[Token]) -> Iterator[str]:
    """Words, and quoted names: ``['T']`` and ``table("T")``, but no other text."""
    for index, token in enumerate(tokens):
        if token.kind == "word" or (token.kind == "string" and index and tokens[index - 1].text in ("[", "(")):
            yield token.name


def _read_behind(rest: Sequence[Token]) -> list[Token]:
    """What is read behind the beginning, and what is invoked there."""
    invoked = [two for one, two in zip(rest, rest[1:], strict=False) if one.text == "invoke"]
    return [*sources([Token("word", "T", -1), *rest])[1:], *invoked]


def _called(rest: Sequence[Token], functions: Mapping[str, str]) -> dict[str, list[Token]]:
    """The stored functions that a text may call, by others too, as tokens."""
    found: dict[str, list[Token]] = {}
    waiting = [list(rest)]
    while waiting and functions:
        fresh = set(_names(waiting.pop())) & functions.keys() - found.keys()
        found.update((name, significant(functions[name])) for name in fresh)
        waiting += [found[name] for name in fresh]
    return found


def _listed(tokens: Sequence[Token]) -> Iterator[Token]:
    """Names in the place of a list, behind ``in (``: columns of a table that is read whole."""
    for index, token in enumerate(tokens):
        if token.text not in _LISTS:
            continue
        begin = index + 2 if index + 1 < len(tokens) and tokens[index + 1].text == "~" else index + 1
        if begin + 2 >= len(tokens) or tokens[begin].text != "(":
            continue
        first, following = tokens[begin + 1 : begin + 3]
        if first.text == "[" or (first.kind == "word" and following.text != "("):
            yield first


def _at(tokens: Sequence[Token], place: int) -> Token | None:
    """The name at a place where a table is wanted; None if something else stands there."""
    if place >= len(tokens):
        return None
    first, rest = tokens[place], tokens[place + 1 : place + 3]
    if first.text == "[" and len(rest) == 2 and rest[0].kind == "string" and rest[1].text == "]":
        return rest[0]
    if first.kind != "word" or first.text in _NOT_SOURCES:
        return None
    if first.text == "table" and len(rest) == 2 and rest[0].text == "(" and rest[1].kind == "string":
        return rest[1]
    return None if rest and rest[0].text in (".", "*") else first


def _places(tokens: Sequence[Token], fuzzy: bool) -> Iterator[int]:
    """The indices at which a table is wanted."""
    tabular = _tabular(tokens)
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ";"
        if before in (";", "{") or (before == "(" and index - 1 in tabular):
            yield index
        if before == "=" and index > 2 and tokens[index - 3].text == "let":
            yield index
        if token.text in _COMBINING and before in ("|", ";", "(", "{"):
            yield from _combined(tokens, index, fuzzy)


def _combined(tokens: Sequence[Token], index: int, fuzzy: bool) -> Iterator[int]:
    """Where the tables of a join, lookup or union stand: behind its options, a union's also behind commas."""
    several, begin = tokens[index].text == "union", index
    index = _behind_options(tokens, index + 1)
    if not fuzzy and any(one.text == "isfuzzy" for one in tokens[begin:index]):
        return  # what is not there is left out of such a union
    yield _inside(tokens, index)
    depth = 0
    for place in range(index, len(tokens)) if several else ():
        text = tokens[place].text
        if tokens[place].kind == "mark":
            depth += (text in "([{") - (text in ")]}")
            if depth < 0 or (depth == 0 and text in ("|", ";")):
                return
            if depth == 0 and text == ",":
                yield _inside(tokens, place + 1)


def _inside(tokens: Sequence[Token], index: int) -> int:
    """The index behind an opening bracket that stands there."""
    return index + 1 if index < len(tokens) and tokens[index].text == "(" else index


def _behind_options(tokens: Sequence[Token], index: int) -> int:
    """The index behind ``kind = inner``, ``hint.strategy = broadcast`` and the like."""
    while index < len(tokens):
        end = index
        while end + 2 < len(tokens) and tokens[end + 1].text == ".":
            end += 2
        if end + 2 >= len(tokens) or tokens[end + 1].text != "=":
            return index
        index = end + 3
    return index


def _tabular(tokens: Sequence[Token]) -> set[int]:
    """The opening brackets that hold a table: with a pipe inside, or behind a word that takes one."""
    opened: list[int] = []
    found: set[int] = set()
    for index, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        if token.text in "([{":
            opened.append(index)
            if token.text == "(" and index and tokens[index - 1].text in _TAKING:
                found.add(index)
        elif token.text in ")]}" and opened:
            opened.pop()
        elif token.text == "|" and opened:
            found.add(opened[-1])
    return found
