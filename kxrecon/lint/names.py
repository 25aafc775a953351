"""KX102–KX104, KX106, KX107, KX109: what the query names is there, after this plan.

Without a connection only the spec is known, and a spec need not hold other teams' tables, nor all columns of
its own (tables are merged, never shrunk): what is missing there is a warning at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from kxrecon.kql_sources import sources
from kxrecon.kql_text import Token
from kxrecon.lint.columns import Step, between_commas
from kxrecon.lint.rules import Said, rule
from kxrecon.lint.world import Export
from kxrecon.model import Ref

CORRECT = "correct its name, or give the table that column"
COMPARING = frozenset({"==", "=", "!", "<", ">", "has", "contains", "startswith", "endswith", "in", "between"})
LITERALS = frozenset({"true", "false", "null", "not"})


@rule("KX102", "error", "the query names a table or function that is not there", connected=True)
def source_missing(export: Export) -> Iterator[Said]:
    """Only where everything that is there was read: a spec need not hold all tables."""
    if not export.world.is_read(export.database):
        return
    there = export.world.names.get(export.database, frozenset())
    for token in sources(export.tokens):
        if token.name not in there and not _is_called(token, export.tokens):
            yield Said(no_source(token.name, export), "correct its name", token)


def _is_called(token: Token, tokens: Sequence[Token]) -> bool:
    """Whether a bracket follows: it may be a function of the language."""
    index = tokens.index(token)
    return tokens[index + 1 : index + 2] != [] and tokens[index + 1].text == "("


def no_source(name: str, export: Export) -> str:
    """A name that is neither a table nor a function, with the nearest that is one."""
    known = sorted(export.world.names.get(export.database, ()))
    return f"'{name}' is neither a table nor a function of {export.database}{hint(name, known)}"


@rule("KX103", "error", "the query names a column that its source does not have", connected=True)
def column_missing(export: Export) -> Iterator[Said]:
    """Said where the source's columns were read."""
    if export.world.is_read(export.database):
        yield from _missing(export)


@rule("KX104", "warning", "the query names a column that the spec does not give its source")
def column_unstated(export: Export) -> Iterator[Said]:
    """The same offline: the cluster's table may have more columns than the spec's."""
    if not export.world.is_read(export.database):
        yield from _missing(export)


def _missing(export: Export) -> Iterator[Said]:
    """The first plain column name of a ``where`` or ``project`` that is not among the columns that reach it."""
    for step, columns in zip(export.flow.steps, export.shapes, strict=False):
        if columns is None:
            return
        known = dict(columns)
        for token in _named(step):
            if token.text not in known and token.text not in _bound(export, step):
                yield Said(no_column(token.text, list(known)), CORRECT, token, step.function)
                return


def _bound(export: Export, step: Step) -> frozenset[str]:
    """Names that mean something else than a column: literals, what ``let`` binds, a function's parameters."""
    function = export.world.get(Ref("function", (export.database, step.function))) if step.function else None
    parameters = str(function.fields.get("parameters") or "") if function else ""
    return LITERALS | export.flow.bound | {one.partition(":")[0].strip(" ([']\"") for one in parameters.split(",")}


def no_column(name: str, known: Sequence[str]) -> str:
    """A name that is no column, with the nearest that is one."""
    return f"there is no column '{name}'{hint(name, known)}"


def _named(step: Step) -> list[Token]:
    """The tokens of a step that can be nothing but column names."""
    rest = step.arguments
    if step.operator in ("where", "filter"):
        compared = len(rest) > 1 and rest[0].kind == "word" and rest[1].text in COMPARING
        return [rest[0]] if compared else []
    if step.operator not in ("project", "project-away"):
        return []
    return [part[0] for part in between_commas(rest) if len(part) == 1 and part[0].kind == "word"]


def hint(name: str, known: Sequence[str]) -> str:
    """``: did you mean …?`` if something known is close to a name."""
    close = get_close_matches(name, known, n=1)
    return f": did you mean '{close[0]}'?" if close else ""


@rule("KX106", "error", "the query reads a database that is not there", connected=True)
def database_missing(export: Export) -> Iterator[Said]:
    """Said only by whoever asked the cluster."""
    for name in sorted(export.databases & export.world.absent) if export.world.absent else ():
        yield Said(f"the cluster has no database '{name}'", "correct its name; kxrecon does not create databases")


@rule("KX107", "error", "an external table has the name of a table", "to")
def name_taken(export: Export) -> Iterator[Said]:
    """An external table cannot have the name of a table or materialized view of its database."""
    name = (export.database, str(export.fields.get("to")))
    what = "table" if name in export.world.tables else "materialized view" if name in export.world.views else ""
    if what:
        path = export.table.path if export.table else ()
        yield Said(f"external table '{name[1]}' has the name of a {what}", "give it another name", path=path)


@rule("KX109", "error", "the query is a management command")
def command(export: Export) -> Iterator[Said]:
    """What begins with a dot does not return rows to export."""
    if export.tokens and export.tokens[0].text == ".":
        yield Said("it begins with a dot, as commands do", "export what a query returns", export.tokens[0])
