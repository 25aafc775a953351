"""The whole pack over one spec: rules, the language service if it is there, silences with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from kxrecon.lint import language, server
from kxrecon.lint.cursor import RESTRICTED, SECURED
from kxrecon.lint.judgement import Judgement
from kxrecon.lint.rules import RULES, Lint, Rule, elsewhere, run
from kxrecon.lint.world import World
from kxrecon.model import Ref, State

# What the language service says better: where it judged a query, the text alone says no more.
BY_TEXT = frozenset({"KX101", "KX102", "KX103", "KX104", "KX105"})
# What the server knows better of a query that it accepts.
BY_LANGUAGE = BY_TEXT | {rule.code for rule in language.RULES}
Asking = Callable[[World], Judgement]
POLICIES = {RESTRICTED: "restricted view access", SECURED: "row level security"}


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
    """What the pack found. ``unchecked``: what was not judged, and why; ``told``: what was."""

    findings: tuple[Lint, ...]
    silenced: tuple[tuple[Lint, Silence], ...] = ()
    unchecked: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


SILENCES = Rule("KX100", "warning", "the spec silences a rule or an entity that there is not", "silence", elsewhere)


def rules() -> list[Rule]:
    """All rules by code, those of the language service and the server too."""
    return sorted([SILENCES, *RULES.values(), *language.RULES, *server.RULES], key=lambda one: one.code)


def silences(document: Mapping[str, Any]) -> tuple[Silence, ...]:
    """The spec's ``silence:``."""
    entries = document.get("silence") or ()
    return tuple(Silence(str(one["rule"]), one.get("entity"), str(one["reason"])) for one in entries)


def check(
    document: Mapping[str, Any],
    desired: State,
    observed: State | None = None,
    *,
    gone: frozenset[Ref] = frozenset(),
    deep: bool = True,
    ask: Asking | None = None,
) -> Checked:
    """Every finding of a spec, over what was observed without what the plan deletes (``gone``).

    ``deep`` asks the language service too, which takes a second to start; ``ask`` asks the server.
    """
    host = urlsplit(str((document.get("cluster") or {}).get("uri") or "")).hostname or ""
    world = World(desired, observed, gone, host)
    spoken = language.judge(world) if deep else Judgement()
    served = ask(world) if ask is not None else Judgement()
    found = [one for one in run(world) if one.code not in BY_TEXT or one.entity not in spoken.judged | served.judged]
    found += [one for one in spoken.findings if one.code not in BY_LANGUAGE or one.entity not in served.judged]
    found += served.findings
    unchecked = (*_unread(world), *spoken.unchecked, *served.unchecked)
    silent = silences(document)
    found += [*_unknown_rules(silent), *_unknown_entities(silent, (desired, observed or State()))]
    kept = [one for one in found if not any(silence.covers(one) for silence in silent)]
    return Checked(tuple(kept), tuple(_silenced(found, silent)), unchecked, served.told)


def _unread(world: World) -> Iterator[str]:
    """What a connected check could not read."""
    if world.observed is None:
        return
    for database in sorted({ref.name[0] for ref in world.desired.entities if ref.kind == "continuous_export"}):
        if not world.is_read(database):
            yield f"the schema of {database} could not be read: what the spec does not hold was not checked"
            continue
        for policy, words in POLICIES.items():
            if world.policy(database, policy) is None:
                yield f"{words} of the tables of {database} could not be read: not checked"


def _unknown_rules(silent: Sequence[Silence]) -> Iterator[Lint]:
    known = [one.code for one in rules()] if silent else []
    for number, silence in enumerate(silent):
        if silence.rule not in known:
            close = get_close_matches(silence.rule, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else "kxrecon lint --list shows the rules"
            path = ("silence", number, "rule")
            yield Lint("KX100", "warning", silence.entity or "all", f"there is no rule {silence.rule}", remedy, path)


def _unknown_entities(silent: Sequence[Silence], states: Sequence[State]) -> Iterator[Lint]:
    """A silence of something that neither the spec nor the cluster has: an export that was renamed, or a slip."""
    labels = {ref.label for state in states for ref in state.entities} if silent else set()
    for number, silence in enumerate(silent):
        if silence.entity is not None and silence.entity not in labels:
            close = get_close_matches(silence.entity, sorted(labels), n=1)
            remedy = f"did you mean {close[0]}?" if close else "take it out, or name what it was meant for"
            message = f"there is no {silence.entity}, so {silence.rule} is silenced for nothing"
            yield Lint("KX100", "warning", silence.entity, message, remedy, ("silence", number, "entity"))


def _silenced(found: Sequence[Lint], silent: Sequence[Silence]) -> Iterator[tuple[Lint, Silence]]:
    for one in found:
        silence = next((each for each in silent if each.covers(one)), None)
        if silence is not None:
            yield one, silence
