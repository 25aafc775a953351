"""Stored functions: parameters, body, folder, docstring, and the flags that the service does not show.

Bodies are compared without their outer braces, line ends and space at line ends, which the service changes;
``view`` and ``skipvalidation`` can be written but not read back (learn.microsoft.com, .create-or-alter
function; .show functions).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _reads
from kxrecon.kinds.kusto._cells import cells, needed_cell, shown_text, text_cell
from kxrecon.kinds.kusto._parameters import canonical_parameters
from kxrecon.kql_text import significant
from kxrecon.model import (
    HIDDEN,
    Answers,
    Change,
    Entity,
    Failure,
    Gap,
    Hidden,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
    Table,
    Value,
)
from kxrecon.scope import Scope

PLANE: Plane = "kusto"
SECTION: tuple[str, ...] = ("databases", "*", "functions", "*")
KIND = "function"
WRITE_ONLY = True  # view, skipValidation, hidden literals of its body
REFORMATTED = ("body",)
# How the command names what the spec has; in the order in which they are sent.
_PROPERTIES = (
    ("folder", "folder"),
    ("docString", "docstring"),
    ("view", "view"),
    ("skipValidation", "skipvalidation"),
)


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``{parameters, body, folder, docString, view, skipValidation}``; without parameters it takes none."""
    database, function = name
    path = ("databases", database, "functions", function)
    label = f"{database}/{function}"
    fields: dict[str, Value] = {}
    try:
        fields["parameters"] = canonical_parameters(doc.get("parameters"))
    except ValueError as wrong:
        yield Problem(str(wrong), path=(*path, "parameters"), entity=label)
        return
    fields["body"] = canonical_body(str(doc.get("body") or ""))
    if not fields["body"]:
        yield Problem("a function needs a body", path=path, entity=label, remedy="write body: or bodyFile:")
        return
    for field in ("folder", "docString"):
        if field in doc:
            fields[field] = doc[field] or None
    for field in ("view", "skipValidation"):
        if doc.get(field) is not None:
            fields[field] = bool(doc[field])
    yield Entity(Ref(KIND, name), fields, path=path)


def canonical_body(text: str) -> str:
    """A body without its outer braces, line ends as ``\\n``, no space at the end of a line."""
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return kql.normalise_query(text)


def describe(entity: Entity) -> Any:
    """The entry as a spec holds it; what is unset or hidden is left out."""
    fields = entity.fields
    doc = {"body": fields["body"]}
    if fields["parameters"] != "()":
        doc["parameters"] = fields["parameters"]
    for field, _ in _PROPERTIES:
        if field in fields and fields[field] is not HIDDEN:
            doc[field] = fields[field]
    return doc


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """All functions of each database: queries that call them read what their bodies read."""
    return (_reads.functions(database) for database in scope.databases)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """All functions of each database."""
    for database in scope.databases:
        answer = answers.get(_reads.functions(database))
        if isinstance(answer, Failure):
            yield Gap(KIND, (database,), answer)
        elif isinstance(answer, Table):
            yield from _entities(database, answer)


def _entities(database: str, answer: Table) -> Iterator[Entity]:
    pick = cells(answer, "Name", "Parameters", "Body", "Folder", "DocString")
    for row in answer.rows:
        name, parameters, body, folder, doc_string = pick(row)
        fields = {
            "parameters": _shown_parameters(text_cell(parameters)),
            "body": shown_text(canonical_body(needed_cell(body))),
            "folder": text_cell(folder),
            "docString": text_cell(doc_string),
            "view": HIDDEN,
            "skipValidation": HIDDEN,
        }
        yield Entity(Ref(KIND, (database, needed_cell(name))), fields)


def _shown_parameters(parameters: str | None) -> str:
    """What the service shows is valid by itself; a form unknown here is kept as it stands."""
    try:
        return canonical_parameters(parameters)
    except ValueError:
        return str(parameters)


def needs(entity: Entity) -> Iterable[Need]:
    """The functions that the body calls and the tables that it names, as far as they are in the spec."""
    database, own = entity.ref.name
    body = entity.fields["body"]
    called, named = _words(body.shown if isinstance(body, Hidden) else body)
    for name in called:
        if name != own:
            yield Need(Ref(KIND, (database, name)))
    for name in named:
        yield Need(Ref("table", (database, name)))


@lru_cache(maxsize=1024)
def _words(body: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names followed by a parenthesis, all others), members of something else (``database("x").T``) left out."""
    tokens = significant(body)
    called: dict[str, None] = {}
    named: dict[str, None] = {}
    for index, token in enumerate(tokens):
        bracketed = token.kind == "string" and index > 0 and tokens[index - 1].text == "["
        if (token.kind != "word" and not bracketed) or (index and tokens[index - 1].text == "."):
            continue
        name = kql.unquote(token.text) if bracketed else token.text
        after = tokens[index + 1 + bracketed].text if index + 1 + bracketed < len(tokens) else ""
        (called if after == "(" else named)[name] = None
    return tuple(called), tuple(named)


def group(change: Change) -> Hashable:
    """Each function by itself."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """The whole definition, or only folder and docstring where nothing else differs."""
    return tuple(_step(change) for change in changes)


def _step(change: Change) -> Step:
    name = kql.identifier(change.ref.name[1])
    if change.verb == "delete":
        return Step((_request(change, f".drop function {name} ifexists"),))
    entity, observed = change.entity, change.observed
    if observed is None:
        return Step((_request(change, _definition(entity)),))
    differs = {field for field, _ in _PROPERTIES if entity.fields.get(field) != observed.fields.get(field)}
    same = all(entity.fields[field] == observed.fields[field] for field in ("parameters", "body"))
    if same and differs <= {"folder", "docString"}:
        # The flags that cannot be read stay as they are, since the definition is not written again.
        texts = [f".alter function {name} {_text(entity, field)}" for field, _ in _PROPERTIES if field in differs]
        return Step(tuple(_request(change, text) for text in texts))
    return Step((_request(change, _definition(entity)),), notes=_unread(entity))


def _text(entity: Entity, field: str) -> str:
    return f"{dict(_PROPERTIES)[field]} {kql.string(entity.fields[field] or '')}"


def _unread(entity: Entity) -> tuple[str, ...]:
    """What a rewritten definition may lose: a flag that nobody can read and the spec does not state."""
    if entity.fields.get("view") is not HIDDEN:
        return ()
    return ("whether it is a view cannot be read, and the new definition says it is none: state view: if it is one",)


def _request(change: Change, text: str) -> Request:
    return Request("kusto", change.ref.name[0], (text,))


def _definition(entity: Entity) -> str:
    fields = entity.fields
    stated = [(word, fields.get(field)) for field, word in _PROPERTIES]
    properties = ", ".join(f"{word}={kql.literal(value)}" for word, value in stated if value not in (None, HIDDEN))
    options = f" with ({properties})" if properties else ""
    body = fields["body"]
    # On one line a comment at the end would take the closing brace with it.
    braces = f"{{\n{body}\n}}" if "\n" in body or "//" in body else f"{{ {body} }}"
    return f".create-or-alter function{options} {kql.identifier(entity.ref.name[1])}{fields['parameters']} {braces}"


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else stands in for a function."""
    return None
