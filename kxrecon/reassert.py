"""``--reassert``: what cannot be verified is written again, as an update like any other.

Somebody's word takes the place of a proof: the spec's value is sent although nothing shows that it differs. The
same actions follow as from a change, with their hazards and with what becomes of an export's cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kxrecon.diff import Judge, Judged, Verdict, compare
from kxrecon.errors import UsageError
from kxrecon.model import FieldChange, Ref, State, Value
from kxrecon.plan import Plan

ALL = ""  # ``--reassert`` without an entity


@dataclass(frozen=True, slots=True)
class Reassert:
    """A judge to whom what cannot be verified counts as changed: of all entities, or of those with these labels.

    ``behind`` is asked first: what it knows is not in doubt, unless the entity was named.
    """

    labels: frozenset[str]
    behind: Judge | None = None

    def __call__(self, ref: Ref, name: str, desired: Value, observed: Value, verdict: Verdict) -> Judged:
        """The verdict on one field."""
        judged = Judged(verdict)
        if self.behind is not None:
            judged = self.behind(ref, name, desired, observed, verdict)
        named = ref.label in self.labels and verdict == "unverifiable"
        doubted = ALL in self.labels and judged.verdict == "unverifiable"
        if judged.verdict == "changed" or not (named or doubted):
            return judged
        return Judged("changed", "written again because --reassert asks for it")


def reassert(asked: Sequence[str], desired: State, behind: Judge | None = None) -> Reassert:
    """The judge for what ``--reassert`` named; UsageError for a label that the spec does not have."""
    known = {ref.label for ref in desired.entities}
    unknown = [label for label in asked if label != ALL and label not in known]
    if unknown:
        remedy = "an entity is named as in --allow, such as Telemetry/EventsLake; alone, --reassert stands last"
        raise UsageError(f"--reassert {unknown[0]}: the spec has no such entity ({remedy})")
    return Reassert(frozenset(asked), behind)


def asked_for(plan: Plan) -> list[str]:
    """What a saved plan was asked to write again: entities of which it changes what no reading can show."""
    changes = (change for action in plan.actions for change in action.changes if change.verb == "update")
    return sorted({change.ref.label for change in changes if any(map(_unseen, change.fields))})


def _unseen(part: FieldChange) -> bool:
    return compare(part.desired, part.observed) == "unverifiable"
