"""Where exports stand in their tables: before an apply, after it, and what to do about a difference.

Kusto shows two things: ``StartCursor``, where an export's first run began, and ``ExportedTo``, the ingestion
time up to which it has exported. Neither may go back or jump because a definition was changed (learn.microsoft.com,
Continuous data export; whether ``.create-or-alter`` keeps them is documented nowhere).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kxrecon import kql
from kxrecon.kql_text import significant
from kxrecon.model import Action, Entity, Leaf, Position, Reading, Ref, State, Text

KIND = "continuous_export"
EXPORTED_IF_EVER = "exportedIfEver"
"""The attribute of an export that is its ``ExportedTo``, or ``NEVER`` while no run of it has exported anything."""
NEVER = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Move:
    """An export that does not stand where it stood. ``expected``: the plan said that this may happen."""

    ref: Ref
    message: str
    repair: str
    expected: bool


def positions(actions: Iterable[Action], observed: State) -> tuple[Position, ...]:
    """Where the exports that actions touch stand now."""
    refs = dict.fromkeys(ref for action in actions for ref in action.refs if ref.kind == KIND)
    return tuple(position(observed.readings[ref]) for ref in refs if ref in observed.readings)


def position(reading: Reading) -> Position:
    """The two values of an export's running state that tell its place."""
    return Position(reading.ref, _text(reading.values.get("startCursor")), _text(reading.values.get("exportedTo")))


def _text(value: object) -> str | None:
    return str(value) if value else None


def moved(before: Iterable[Position], actions: Iterable[Action], after: State) -> tuple[Move, ...]:
    """What moved without reason since the plan was made; an export may only have exported more."""
    risky: set[Ref] = set()
    dropped: set[Ref] = set()
    for action in actions:
        if action.cursor is not None and action.cursor.label != "keeps cursor":
            risky.update(action.refs)
        if action.verb == "delete":
            dropped.update(action.refs)
    return tuple(move for one in before if one.ref not in dropped for move in _compare(one, after, one.ref in risky))


def _compare(before: Position, after: State, expected: bool) -> Iterator[Move]:
    reading = after.readings.get(before.ref)
    if reading is None:
        if after.gap(before.ref) is None:
            yield Move(before.ref, "is gone, and its cursor with it", _lost(before), expected)
        return
    now = position(reading)
    export = after.entities[before.ref]
    if now.start_cursor != before.start_cursor:
        told = f"its StartCursor was {before.start_cursor} and is {now.start_cursor}: {_risk(before, now)}"
        yield Move(before.ref, told, repair(export, before, now), expected)
    elif _went_back(before.exported_to, now.exported_to):
        told = f"it had exported up to {before.exported_to} and now shows {now.exported_to}"
        risk = "records ingested in between may be exported twice"
        yield Move(before.ref, f"{told}: {risk}", "look for doubled records in the target from then on", expected)


def _went_back(before: str | None, now: str | None) -> bool:
    # Both are UTC in the same ISO form, where texts compare as the times do.
    return before is not None and (now is None or now < before)


def _risk(before: Position, now: Position) -> str:
    since = f"after {before.exported_to}" if before.exported_to else f"after cursor {before.start_cursor}"
    numbers = [int(one) if one and one.isdecimal() else None for one in (before.start_cursor, now.start_cursor)]
    if numbers[0] is not None and numbers[1] is not None and numbers[1] < numbers[0]:
        return "records that were exported already may be exported again"
    return f"records ingested {since} and up to cursor {now.start_cursor} are not exported"


def _lost(before: Position) -> str:
    since = f"ingestion_time() > datetime({before.exported_to})" if before.exported_to else "all of them"
    return f"create it again, then export what it missed once: {since} up to the new StartCursor"


def repair(export: Entity, before: Position, now: Position) -> str:
    """The command that exports once what lies between two positions, or what it has to say if the query is not ours."""
    found = backfill(export, lower_bound(before), now.start_cursor or "")
    if found is None:
        bounds = " and ".join(("".join(map(str, lower_bound(before))), f'cursor_before_or_at("{now.start_cursor}")'))
        to = kql.identifier(str(export.fields["to"]))
        return f".export async to table {to} <| its query, its fact table bounded by: {bounds}"
    return "".join(str(part) for part in found)


def lower_bound(before: Position) -> Text:
    """The condition for records that an export at this position has not exported yet."""
    if before.exported_to:
        return (f"ingestion_time() > datetime({before.exported_to})",)
    return (f"cursor_after({kql.string(before.start_cursor or '')})",)


def backfill(export: Entity, lower: Text, upper: str | Leaf) -> Text | None:
    """``.export async`` of the export's query over the records after ``lower`` (empty: all) and up to the cursor
    ``upper``; None if the query does not begin with a table of its own database, where the bounds belong."""
    query = export.fields.get("query")
    head = _table_at_start(query, export.fields.get("over")) if isinstance(query, str) else None
    if head is None or not isinstance(query, str):
        return None
    condition: Text = (*lower, " and ") if lower else ()
    return kql.command(
        f".export async to table {kql.identifier(str(export.fields['to']))} <| {query[:head]} | where ",
        *condition,
        'cursor_before_or_at("',
        upper,
        f'"){query[head:]}',
    )


def _table_at_start(query: str, over: tuple[str, ...] | None) -> int | None:
    """Where the name of the one fact table ends that a query begins with."""
    parts = significant(query)
    if not parts or (over is not None and len(over) != 1):
        return None
    bracketed = [part.text for part in parts[:3]]
    if len(bracketed) == 3 and bracketed[0] == "[" and bracketed[2] == "]" and parts[1].kind == "string":
        name, last = kql.unquote(parts[1].text), 2
    elif parts[0].kind == "word":
        name, last = parts[0].text, 0
    else:
        return None
    following = parts[last + 1].text if len(parts) > last + 1 else "|"
    known = over is None or over == (name,)
    return parts[last].start + len(parts[last].text) if following == "|" and known else None
