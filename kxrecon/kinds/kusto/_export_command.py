"""What is sent to change a continuous export, with the risks and what becomes of its cursor.

Source: learn.microsoft.com, Create or alter continuous export; Enable or disable continuous export;
Drop continuous export.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kxrecon import kql
from kxrecon.kinds.kusto._connections import identity_value
from kxrecon.model import Change, CursorEffect, Hazard, Hidden, Leaf, Plane, Request, Step, Text, Value
from kxrecon.scope import Scope

PLANE: Plane = "kusto"
ABSENT = ("BadRequest_EntityNotFound",)
UNLISTED = "unlisted"
"""The attribute of an export that names the tables of which nobody said whether they are fact tables."""

# Properties of exports that we do not manage but may send again, because the documentation of this command or
# of ``.export`` names them, or did. Any other name blocks the change.
RESENT = {
    name.lower(): name
    for name in (
        *("concurrency", "spread", "useNativeParquetWriter", "writeNativeParquetV2"),
        *("parquetDatetimePrecision", "reportDeltaLogResults"),
    )
}
_ORDER = (
    *("managedIdentity", "intervalBetweenRuns", "forcedLatency", "sizeLimit", "distributed", "distribution"),
    *("distributionKind", "parquetRowGroupSize"),
)
_TIMESPANS = ("intervalBetweenRuns", "forcedLatency")


def step(change: Change, scope: Scope) -> Step:
    """One command: a drop, the switch alone, or the complete definition."""
    database, name = change.ref.name
    if change.desired is None:
        reason = "a dropped export's cursor is gone: an export created again starts from then on"
        drop = Request(PLANE, database, (f".drop continuous-export {kql.identifier(name)}",), accepts=ABSENT)
        hazard = Hazard("loses-cursor", change.ref, reason)
        return Step((drop,), hazards=(hazard,), cursor=CursorEffect("gap", reason))
    changed = _changed(change)
    hazards = tuple(_hazards(change, changed))
    if change.observed is not None and changed == {"isDisabled"}:
        verb = "disable" if change.desired.fields["isDisabled"] else "enable"
        text = f".{verb} continuous-export {kql.identifier(name)}"
        hazards = tuple(hazard for hazard in hazards if hazard.hazard == "restarts-export")
        kept = CursorEffect("keeps cursor", "a disabled export goes on where it stopped")
        return Step((Request(PLANE, database, (text,)),), hazards=hazards, cursor=kept)
    request = Request(PLANE, database, _definition(name, change.desired.fields, scope))
    again, _ = foreign(change.desired.fields)
    notes = (
        *(f"kept: {name}={value}, which the spec does not state" for name, value in again.items()),
        *_notes(change),
    )
    return Step((request,), hazards=hazards, notes=notes, cursor=_effect(change, changed))


def foreign(fields: Mapping[str, Value]) -> tuple[dict[str, str], dict[str, str]]:
    """Properties that no field stands for, as texts: those that can be sent again, and the others."""
    kept: dict[str, str] = {}
    lost: dict[str, str] = {}
    for name, value in sorted((fields.get("unknownProperties") or {}).items()):
        if name.lower() in RESENT and isinstance(value, bool | int | float | str):
            kept[RESENT[name.lower()]] = kql.literal(value)
        else:
            lost[name] = str(value)
    return kept, lost


def _notes(change: Change) -> Iterator[str]:
    """What a changed query reads as a dimension table, because the spec leaves ``over`` as it is on the cluster."""
    desired = change.desired
    unlisted = desired.attributes.get(UNLISTED) if desired is not None else None
    if desired is not None and unlisted:
        over = ", ".join(desired.fields.get("over") or ())
        yield (
            f"{', '.join(unlisted)}: read whole at each run, because over is {over} on the cluster and the spec leaves "
            "it out; to export new records only, name it in over:"
        )


def _changed(change: Change) -> set[str]:
    """Names of the fields that differ; a create differs in all."""
    assert change.desired is not None
    if change.observed is None:
        return set(change.desired.fields)
    if change.fields:
        return {re.split(r"[.\[]", one.field, maxsplit=1)[0] for one in change.fields}
    seen = change.observed.fields
    return {name for name, value in change.desired.fields.items() if seen.get(name) != value}


def _hazards(change: Change, changed: set[str]) -> Iterator[Hazard]:
    if change.observed is None or change.desired is None:
        return
    fields, ref = change.desired.fields, change.ref
    if "isDisabled" in changed and not fields["isDisabled"]:
        yield Hazard("restarts-export", ref, "it is disabled now, and somebody may have stopped it on purpose")
    if "to" in changed:
        reason = f"what it exported so far stays at {change.observed.fields.get('to')}, and its cursor may be reset"
        yield Hazard("repoints-export", ref, reason)
    if "over" in changed:
        yield Hazard("may-reset-cursor", ref, _listed(fields))
    if isinstance(fields.get("managedIdentity"), Hidden):
        reason = "managedIdentity cannot be read back, and a new definition would lose it: state it in the spec"
        yield Hazard("unreadable-field", ref, reason)
    for name in foreign(fields)[1]:
        yield Hazard("drops-property", ref, f"its property {name} is not known here and would not be sent again")


def _effect(change: Change, changed: set[str]) -> CursorEffect:
    """What becomes of the cursor. That an altered job keeps it is documented nowhere; apply looks afterwards."""
    if change.observed is None:
        return CursorEffect("gap", "starts from now: records ingested before are not exported")
    doubts = []
    if "over" in changed:
        doubts.append(_listed(change.desired.fields if change.desired else {}))
    if "to" in changed:
        doubts.append("it writes somewhere else; old files stay where they are")
    if doubts:
        return CursorEffect("may reset cursor", "; ".join(doubts))
    return CursorEffect("keeps cursor", "unconfirmed by the documentation, so it is compared after apply")


def _listed(fields: Mapping[str, Value]) -> str:
    """How the list of fact tables changes."""
    if fields.get("over"):
        return "the list of tables that it exports changes"
    return "the list of tables that it exports changes: with over left out, it is all tables of the query"


def _definition(name: str, fields: Mapping[str, Value], scope: Scope) -> Text:
    """The complete command; what is left out would fall back to the service's default."""
    over = f" over ({', '.join(map(kql.identifier, fields['over']))})" if fields.get("over") else ""
    head = f".create-or-alter continuous-export {kql.identifier(name)}{over} to table {kql.identifier(fields['to'])}"
    parts: list[str | Text] = []
    for key, value in _pairs(fields, scope):
        parts += [", " if parts else " with (", f"{key}=", value]
    return kql.command(head, *parts, ")", f" <| {fields['query']}")


def _pairs(fields: Mapping[str, Value], scope: Scope) -> Iterator[tuple[str, str | Text]]:
    for name in _ORDER:
        value = fields.get(name)
        if value is None or isinstance(value, Hidden):
            continue
        if name == "managedIdentity":
            yield name, _identity(identity_value(value, scope))
        else:
            yield name, kql.timespan(value) if name in _TIMESPANS else kql.literal(value)
    yield from foreign(fields)[0].items()
    yield "isDisabled", kql.literal(bool(fields.get("isDisabled")))


def _identity(value: str | Leaf) -> str | Text:
    return kql.string(value) if isinstance(value, str) else kql.quoted(value)
