"""KX13x: Microsoft's language service judges the queries, offline (extra ``kql``: PyPI ``kustology`` and .NET 8).

It knows the language; the schema comes from the spec and the last read. A name that the spec need not hold
(a table of another tool) is no finding: only what is wrong whatever else is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kxrecon.lint.judgement import Judgement
from kxrecon.lint.limits import NAME_THEM
from kxrecon.lint.names import CORRECT, no_column
from kxrecon.lint.results import PROJECT, STATE, certain, difference
from kxrecon.lint.rules import Lint, Path, Rule, Severity, elsewhere
from kxrecon.lint.service import Code, Diagnostic, Service, available
from kxrecon.lint.world import Export, World
from kxrecon.model import Entity

MOST = 5  # findings of one text


RULES = (
    Rule("KX130", "error", "the language service finds a mistake", "query", elsewhere),
    Rule("KX131", "warning", "the language service warns", "query", elsewhere),
)
MISTAKE, WARNING = RULES


def judge(world: World) -> Judgement:
    """The findings of the language service over every export, and every stored function of the spec."""
    exports, functions = list(world.exports()), world.desired.of_kind("function")
    if not exports and not functions:
        return Judgement()
    if why := available():
        return Judgement(unchecked=(why,))
    service = Service(world)
    found: list[Lint] = []
    judged, unchecked = set[str](), list[str]()
    for export in exports:
        code = service.query(export.query, export.database)
        if code.refused:
            unchecked.append(f"{export.entity.ref.label}: the language service gave up: {code.refused}")
            continue
        judged.add(export.entity.ref.label)
        found += _of_query(export, code)
    for function in sorted(functions, key=lambda one: one.ref):
        if not function.fields.get("skipValidation"):
            found += _of_function(world, function, service)
    return Judgement(tuple(found), frozenset(judged), tuple(unchecked))


def _of_query(export: Export, code: Code) -> Iterator[Lint]:
    place = _Place(export.entity.ref.label, (*export.entity.path, "query"), export.world.is_read(export.database))
    yield from _findings(place, code)
    unseen = sorted(code.reads - export.databases)
    if unseen and export.entity.attributes.get("reads") is None:
        yield place.lint("KX132", "warning", f"it reads {', '.join(unseen)}, which a plan does not see", NAME_THEM)
    mistaken = any(one.severity == "Error" and not one.unknown for one in code.diagnostics)
    if export.wanted and code.columns and not mistaken and (said := difference(code.columns, export.wanted)):
        if certain(export):
            yield place.lint("KX101", "error", said, PROJECT)
        else:
            yield place.lint("KX105", "warning", f"as the spec states the source, {said}", STATE)


def _of_function(world: World, function: Entity, service: Service) -> Iterator[Lint]:
    database = function.ref.name[0]
    code = service.function(str(function.fields["body"]), str(function.fields["parameters"]), database)
    if not code.refused:
        place = _Place(function.ref.label, (*function.path, "body"), world.is_read(database))
        yield from _findings(place, code)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where findings stand, and whether everything that is there was read."""

    entity: str
    path: Path
    read: bool

    def lint(self, code: str, severity: Severity, message: str, remedy: str, offset: int | None = None) -> Lint:
        return Lint(code, severity, self.entity, message, remedy, self.path, offset)


def _findings(place: _Place, code: Code) -> Iterator[Lint]:
    """A diagnostic for each place: one missing bracket makes several."""
    first = {one.start: one for one in reversed(code.diagnostics)}
    for one in [one for one in code.diagnostics if first[one.start] is one][:MOST]:
        if one.unknown:
            yield from _nowhere(place, one)
        else:
            rule = MISTAKE if one.severity == "Error" else WARNING
            remedy = f"{one.code} of Microsoft's language service"
            yield place.lint(rule.code, rule.severity, one.message, remedy, one.start)


def _nowhere(place: _Place, one: Diagnostic) -> Iterator[Lint]:
    """A name that nothing known has: certain where everything was read; else only of columns, as a warning."""
    code: str
    severity: Severity
    if one.scope:
        said = no_column(one.text, one.scope)
        code, severity = ("KX103", "error") if place.read else ("KX104", "warning")
        yield place.lint(code, severity, said, CORRECT, one.start)
    elif place.read:
        # A fuzzy union may name what is not there.
        code, severity = ("KX102", "error") if one.severity == "Error" else ("KX131", "warning")
        yield place.lint(code, severity, one.message, "correct its name", one.start)
