"""Where exports stand in their tables: before an apply, after it, and what to do about a difference.

Kusto shows two things: ``StartCursor``, where an export's first run began, and ``ExportedTo``, the ingestion
time up to which it has exported. Neither may go back or jump because a definition was changed (learn.microsoft.com,
Continuous data export; whether ``.create-or-alter`` keeps them is documented nowhere).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kxrecon import kql
from kxrecon.kql_sources import reads_more
from kxrecon.kql_text import significant
from kxrecon.model import Action, Entity, Leaf, Position, Reading, Ref, State, Text
from kxrecon.surroundings import Stored

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


@dataclass(frozen=True, slots=True)
class Fill:
    """A bounded export that nobody saw end. ``follows``: the export from whose place on it exports, if any; ``sent``:
    it was about to be sent, so it may have run."""

    action: str
    export: Ref
    follows: Ref | None = None
    sent: bool = False


def positions(actions: Iterable[Action], observed: State) -> tuple[Position, ...]:
    """Where the exports that actions touch stand now."""
    refs = dict.fromkeys(ref for action in actions for ref in action.refs if ref.kind == KIND)
    return tuple(position(observed.readings[ref]) for ref in refs if ref in observed.readings)


def position(reading: Reading) -> Position:
    """The two values of an export's running state that tell its place."""
    return Position(reading.ref, _text(reading.values.get("startCursor")), _text(reading.values.get("exportedTo")))


def _text(value: object) -> str | None:
    return str(value) if value else None


def risked(actions: Iterable[Action]) -> frozenset[Ref]:
    """The exports of which a plan says that their place may move."""
    risky = (one for one in actions if one.cursor is not None and one.cursor.label != "keeps cursor")
    return frozenset(ref for action in risky for ref in action.refs)


def dropped(actions: Iterable[Action]) -> frozenset[Ref]:
    """The exports that a plan drops, and their place with them."""
    return frozenset(ref for action in actions if action.verb == "delete" for ref in action.refs)


def moved(before: Iterable[Position], risky: Container[Ref], after: State) -> tuple[Move, ...]:
    """What moved without reason since apply began; an export may only have exported more."""
    return tuple(move for one in before for move in _compare(one, after, one.ref in risky))


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
        yield Move(before.ref, told, repair(export, before, now, after), expected)
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


def repair(export: Entity, before: Position, now: Position, observed: State) -> str:
    """The command that exports once what lies between two positions, or what it has to say if the query is not ours."""
    return once(export, lower_bound(before), now.start_cursor or "", observed)


def once(export: Entity, lower: Text, start_cursor: str, observed: State) -> str:
    """The command that exports once what lies after ``lower`` and up to a cursor, as far as it can be written down."""
    found = backfill(export, lower, start_cursor, Stored(observed))
    if found is None:
        bounds = " and ".join((*("".join(map(str, lower)),) * bool(lower), f'cursor_before_or_at("{start_cursor}")'))
        to = kql.identifier(str(export.fields["to"]))
        return f".export async to table {to} <| its query, its fact table bounded by: {bounds}"
    return "".join(str(part) for part in found)


def lower_bound(before: Position) -> Text:
    """The condition for records that an export at this position has not exported yet."""
    if before.exported_to:
        return (f"ingestion_time() > datetime({before.exported_to})",)
    return (f"cursor_after({kql.string(before.start_cursor or '')})",)


def backfill(export: Entity, lower: Text, upper: str | Leaf, stored: Stored) -> Text | None:
    """``.export async`` of the export's query over the records after ``lower`` (empty: all) and up to the cursor
    ``upper``; None if the query does not begin with a table of its own database, where the bounds belong, or may read
    that fact table, or another one, further on, where they would be missing."""
    query = export.fields.get("query")
    if not isinstance(query, str):
        return None
    head = _table_at_start(query, export.fields.get("over"), stored.functions(export.ref.name[0]))
    if head is None:
        return None
    condition: Text = (*lower, " and ") if lower else ()
    return kql.command(
        f".export async to table {kql.identifier(str(export.fields['to']))} <| {query[:head]} | where ",
        *condition,
        'cursor_before_or_at("',
        upper,
        f'"){query[head:]}',
    )


def _table_at_start(query: str, over: tuple[str, ...] | None, functions: Mapping[str, str]) -> int | None:
    """Where the name of the one fact table ends that a query begins with. Without ``over`` every table is one."""
    parts = significant(query)
    if not parts or (over and len(over) != 1):
        return None
    bracketed = [part.text for part in parts[:3]]
    if len(bracketed) == 3 and bracketed[0] == "[" and bracketed[2] == "]" and parts[1].kind == "string":
        name, last = kql.unquote(parts[1].text), 2
    elif parts[0].kind == "word":
        name, last = parts[0].text, 0
    else:
        return None
    following = parts[last + 1].text if len(parts) > last + 1 else "|"
    known = name not in functions if not over else over == (name,)
    if following != "|" or not known or reads_more(parts[last + 1 :], name, not over, functions):
        return None
    return parts[last].start + len(parts[last].text)
