"""Exports that stand still although the spec does not say so: who or what stopped them, as far as it can be proved.

Kusto disables an export by itself when it failed for good for seven days (learn.microsoft.com, Continuous data
export); who else did it is written nowhere that lasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from kxrecon.model import Finding, Ref, State, Value

KIND = "continuous_export"
GIVES_UP = timedelta(days=7)
_ENABLE = "find out why, then state isDisabled: false and allow restarts-export for it"


def findings(desired: State, observed: State, paused: frozenset[Ref]) -> Iterator[Finding]:
    """One finding for each export of the spec that is disabled, unless the spec wants that."""
    for ref, entity in desired.entities.items():
        seen = observed.entities.get(ref) if ref.kind == KIND else None
        if seen is None or seen.fields.get("isDisabled") is not True or entity.fields.get("isDisabled") is True:
            continue
        if ref in paused:
            yield Finding("note", ref, "is disabled by an apply of ours that did not end: it is enabled again")
            continue
        reading = observed.readings.get(ref)
        cause = _cause(reading.values if reading else {})
        remedy = _ENABLE if "isDisabled" not in entity.fields else ""
        yield Finding("stopped", ref, f"is disabled, and the spec does not say so: {cause}", remedy)


def _cause(values: Mapping[str, Value]) -> str:
    """What the list of failures proves: a week of failures without a run that succeeded, up to the end."""
    failure, success = _time(values.get("lastFailure")), _time(values.get("lastSuccess"))
    first = success or _time(values.get("firstFailure"))
    if failure is None or first is None:
        return "cause unknown"
    details = str(values.get("failureDetails") or "").strip()
    if failure - first < GIVES_UP - timedelta(hours=1):
        return f"cause unknown; its last failure was at {failure:%Y-%m-%d %H:%M}Z: {details}"
    return f"Kusto gave it up after failures from {first:%Y-%m-%d} to {failure:%Y-%m-%d}: {details}"


def _time(value: Value) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
