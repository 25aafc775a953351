"""The frame of lint rules: what a rule says, and how it becomes one.

A rule is a generator function of an ``Export``, registered under its stable code. It yields ``Said``. What it
cannot know it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from kxrecon.kql_text import Token
from kxrecon.lint.world import Export, World
from kxrecon.model import Ref

Severity = Literal["error", "warning", "note"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding: ``path`` leads into the spec, ``offset`` into the query or body there if it is about a place."""

    code: str
    severity: Severity
    entity: str
    message: str
    remedy: str
    path: Path = ()
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule has to say, and what would help.

    ``at`` is the token that it is about, ``function`` the stored function in whose body that stands; ``path``
    leads to another part of the spec than the rule's own field.
    """

    message: str
    remedy: str
    at: Token | None = None
    function: str = ""
    path: Path = ()


Check = Callable[[Export], Iterator[Said]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule under its code; ``field`` is the part of the export that it speaks of.

    ``on``: the kind of external table that it is about (``sql``, ``storage``; empty for any). ``connected``: whether
    it has something to say only where the cluster was read.
    """

    code: str
    severity: Severity
    title: str
    field: str
    check: Check
    on: str = ""
    connected: bool = False


RULES: dict[str, Rule] = {}


def elsewhere(export: Export) -> Iterator[Said]:
    """The check of a rule that somebody else judges, about all exports at once."""
    return iter(())


def rule(
    code: str, severity: Severity, title: str, field: str = "query", *, on: str = "", connected: bool = False
) -> Callable[[Check], Check]:
    """Register a rule; codes are never used twice, and never change their meaning."""

    def register(check: Check) -> Check:
        assert code not in RULES, code
        RULES[code] = Rule(code, severity, title, field, check, on, connected)
        return check

    return register


def run(world: World) -> Iterator[Lint]:
    """Every finding of every rule, export by export."""
    speaking = [RULES[code] for code in sorted(RULES) if world.observed is not None or not RULES[code].connected]
    by_kind = {kind: [one for one in speaking if one.on in ("", kind)] for kind in ("", "sql", "storage")}
    for export in world.exports():
        for one in by_kind.get(str(export.target.get("kind") or ""), by_kind[""]):
            for said in one.check(export):
                yield _lint(one, export, said)


def _lint(one: Rule, export: Export, said: Said) -> Lint:
    path, offset = said.path or (*export.entity.path, one.field), said.at.start if said.at else None
    if said.function:
        function = export.world.desired.entities.get(Ref("function", (export.database, said.function)))
        # A body that only the cluster has is no place in the spec: the query that calls it is.
        path, offset = ((*function.path, "body"), offset) if function else (path, None)
    return Lint(one.code, one.severity, export.entity.ref.label, said.message, said.remedy, path, offset)
