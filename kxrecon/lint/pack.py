"""The whole pack over one spec: rules, the language service if it is there, silences with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kxrecon.lint import language
from kxrecon.lint.rules import RULES, Lint, Rule, World, run
from kxrecon.model import State


@dataclass(frozen=True, slots=True)
class Silence:
    """A finding that somebody has looked at: of one entity, or of all (None)."""

    rule: str
    entity: str | None
    reason: str

    def covers(self, finding: Lint) -> bool:
        """Whether this silences a finding."""
        return self.rule == finding.code and self.entity in (None, finding.entity)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the pack found. ``unchecked``: why queries were not judged whole; empty if they were."""

    findings: tuple[Lint, ...]
    silenced: tuple[tuple[Lint, Silence], ...] = ()
    unchecked: str = ""


def rules() -> list[Rule]:
    """All rules by code, those of the language service too."""
    return sorted([*RULES.values(), *language.RULES], key=lambda one: one.code)


def silences(document: Mapping[str, Any]) -> tuple[Silence, ...]:
    """The spec's ``silence:``."""
    entries = document.get("silence") or ()
    return tuple(Silence(str(one["rule"]), one.get("entity"), str(one["reason"])) for one in entries)


def check(document: Mapping[str, Any], desired: State, observed: State | None = None, *, deep: bool = True) -> Checked:
    """Every finding of a spec. ``deep`` asks the language service too, which takes a second to start."""
    world = World(desired, observed)
    found = list(run(world))
    unchecked = "" if deep else "the queries were not given to the language service"
    if deep:
        more, unchecked = language.judge(world)
        said = {(one.code, one.entity) for one in found}
        found += [one for one in more if (one.code, one.entity) not in said]
    silent = silences(document)
    kept = [one for one in found if not any(silence.covers(one) for silence in silent)]
    gone = tuple(_silenced(found, silent))
    return Checked(tuple(kept), gone, unchecked)


def _silenced(found: Sequence[Lint], silent: Sequence[Silence]) -> Iterator[tuple[Lint, Silence]]:
    for one in found:
        silence = next((each for each in silent if each.covers(one)), None)
        if silence is not None:
            yield one, silence
