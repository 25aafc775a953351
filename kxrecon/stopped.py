"""Exports that stand still although the spec does not say so: who or what stopped them, as far as it can be proved.

Kusto disables an export by itself when it failed for good for seven days (learn.microsoft.com, Continuous data
export). Who else did it stands in the database's journal (``.show database DB journal``), whose format is no
contract and which shows others' entries only to admins: where neither proves it, the cause stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from kxrecon.model import Finding, Ref, State, Value

KIND = "continuous_export"
GIVES_UP = timedelta(days=7)
_UNENDED = (
    "That is how an apply lets it stand still while what it stands on changes; that it ended is not known here, and it "
    "did not enable it again"
)
_DECIDE = "if no apply is under way: state isDisabled: false (and allow restarts-export for it), or isDisabled: true"
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
        values = reading.values if reading else {}
        unsaid = "isDisabled" not in entity.fields
        message = f"is disabled, and the spec does not say so: {why(values)}"
        ours = values.get("disabledByUs") and values.get("disabledWith") == ".disable" and not given_up(values)
        if unsaid and ours:
            yield Finding("paused", ref, f"{message}. {_UNENDED}", _DECIDE)
        else:
            yield Finding("stopped", ref, message, _ENABLE if unsaid else "")


def why(values: Mapping[str, Value]) -> str:
    """What failures and journal prove: a week of failures without a run that succeeded, or somebody's command."""
    service = given_up(values)
    if service:
        return service
    by = values.get("disabledBy")
    when = _time(values.get("disabledAt"))
    told = f"{by} disabled it on {when:%Y-%m-%d %H:%M}Z by {values.get('disabledWith')}" if by and when else ""
    failure = _time(values.get("lastFailure"))
    details = str(values.get("failureDetails") or "").strip()
    late = f"; its last failure was at {failure:%Y-%m-%d %H:%M}Z: {details}" if failure else ""
    return (told or "cause unknown") + late


def given_up(values: Mapping[str, Value]) -> str:
    """That the service did it, as far as a week of failures proves it; else empty."""
    failure, success = _time(values.get("lastFailure")), _time(values.get("lastSuccess"))
    first = success or _time(values.get("firstFailure"))
    if failure is None or first is None or failure - first < GIVES_UP - timedelta(hours=1):
        return ""
    stopped = _time(values.get("disabledAt"))
    if stopped is not None and stopped > failure + timedelta(minutes=1):
        return ""  # it failed for a week, and somebody stopped it after that
    details = str(values.get("failureDetails") or "").strip()
    return f"Kusto gave it up after failures from {first:%Y-%m-%d} to {failure:%Y-%m-%d}: {details}"


def _time(value: Value) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
