"""The status of exports: a table for people, JSON, and OpenMetrics text for scraping (openmetrics.io)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kxrecon.health import ALARMS, Health, State, Status
from kxrecon.report.lines import Line, Style, line
from kxrecon.report.safe import visible

STYLES: Mapping[State, Style] = {
    "ok": "add",
    "running": "add",
    "new": "",
    "late": "warn",
    "failing": "remove",
    "auto-disabled": "remove",
    "disabled": "remove",
    "disabled-by-spec": "dim",
    "missing": "remove",
    "unknown": "warn",
}
HEAD = ("export", "state", "last run", "result", "exported up to", "every", "overdue by", "failures")


def text(status: Status) -> Iterator[Line]:
    """One line an export, those that need somebody first, then what the service says of them."""
    exports = sorted(status.exports, key=lambda one: (one.state not in ALARMS, one.export))
    counts = _counts(exports)
    head = (*HEAD, *counts)
    rows = [_row(one, counts) for one in exports]
    widths = [max([len(name), *(len(row[at]) for row in rows)]) for at, name in enumerate(head)]
    yield _line(head, widths, "bold")
    for one, row in zip(exports, rows, strict=True):
        yield _line(row, widths, STYLES[one.state])
        for said in (one.why, one.message, one.untold):
            if said:
                yield line(said, "dim", indent=4)
    yield line(_summary(status), "bold")


def _line(cells: tuple[str, ...], widths: list[int], style: Style) -> Line:
    padded = [f"{visible(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)]
    return (
        ((padded[0] + "  ", ""), (padded[1] + "  ", style), ("  ".join(padded[2:]), ""))
        if style != "bold"
        else (("  ".join(padded), "bold"),)
    )


def _counts(exports: Sequence[Health]) -> Mapping[str, Callable[[Health], int | None]]:
    """The columns of what runs wrote, those that anything is known of."""
    columns: Mapping[str, Callable[[Health], int | None]] = {
        "files": lambda one: one.files,
        "records": lambda one: one.records,
        "bytes": lambda one: one.size,
    }
    return {name: of for name, of in columns.items() if any(of(one) is not None for one in exports)}


def _row(one: Health, counts: Mapping[str, Callable[[Health], int | None]]) -> tuple[str, ...]:
    failures = ", ".join(f"{number} {kind}" for kind, number in sorted(one.failures.items()))
    cells = (
        *(one.export, one.state, moment(one.last_run), one.result or "-", moment(one.exported_to)),
        *(span(one.interval), span(one.lateness), failures or "-"),
    )
    numbers = [of(one) for of in counts.values()]
    return (*cells, *("?" if number is None else str(number) for number in numbers))


def moment(when: datetime | None) -> str:
    """An instant to the second, in UTC; ``-`` for none."""
    return "-" if when is None else when.strftime("%Y-%m-%d %H:%M:%SZ")


def span(seconds: float) -> str:
    """The two largest units of a span: ``1d 2h``; ``-`` for none."""
    rest, words = int(seconds), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        words += [f"{number}{unit}"] if number else []
    return " ".join(words[:2]) or "-"


def _summary(status: Status) -> str:
    ill, unread = len(status.alarming), len(status.unread)
    unseen = f", {unread} not readable" if unread else ""
    capacity = status.capacity
    room = (
        f"capacity not known ({capacity.why})"
        if capacity.total is None
        else f"{capacity.consumed} of {capacity.total} slots in use"
    )
    plural = "" if len(status.exports) == 1 else "s"
    return f"{len(status.exports)} export{plural}, {ill or 'none'} to look after{unseen}; {room}."


def document(status: Status) -> dict[str, Any]:
    """Everything for JSON, instants in ISO 8601, spans in seconds."""
    exports = [
        {
            "export": one.export,
            "state": one.state,
            "alarming": one.state in ALARMS,
            "healthy": one.healthy,
            "enabled": one.enabled,
            "intervalSeconds": one.interval,
            "enabledSince": one.since.isoformat() if one.since else None,
            "lastRun": one.last_run.isoformat() if one.last_run else None,
            "lastResult": one.result or None,
            "exportedTo": one.exported_to.isoformat() if one.exported_to else None,
            "latenessSeconds": one.lateness,
            "failures": dict(one.failures),
            "why": one.why or None,
            "message": one.message or None,
            "files": one.files,
            "records": one.records,
            "bytes": one.size,
            "untold": one.untold or None,
        }
        for one in status.exports
    ]
    capacity = {
        "total": status.capacity.total,
        "consumed": status.capacity.consumed,
        "why": status.capacity.why or None,
    }
    about = {"cluster": status.cluster, "now": status.now.isoformat(), "days": status.days}
    return {**about, "capacity": capacity, "exports": exports}


_METRICS: tuple[tuple[str, str, Callable[[Health], float | None]], ...] = (
    ("readable", "0 if the cluster did not tell how the export is", lambda one: float(one.readable)),
    ("healthy", "1 if nobody has to look after the export; none if not known", lambda one: _number(one.healthy)),
    ("enabled", "1 if the export is enabled", lambda one: float(one.enabled) if _seen(one) else None),
    ("interval_seconds", "Time between runs", lambda one: one.interval if _seen(one) else None),
    (
        "lateness_seconds",
        "Time by which a run is overdue",
        lambda one: one.lateness if _seen(one) and one.healthy is not None else None,
    ),
    ("last_run_timestamp_seconds", "When it ran last", lambda one: one.last_run.timestamp() if one.last_run else None),
    (
        "exported_to_timestamp_seconds",
        "Records ingested before are exported",
        lambda one: one.exported_to.timestamp() if one.exported_to else None,
    ),
    ("recent_files", "Files written in the days looked back on", lambda one: _number(one.files)),
    ("recent_records", "Records in these files", lambda one: _number(one.records)),
    ("recent_bytes", "Bytes of these files", lambda one: _number(one.size)),
)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _seen(one: Health) -> bool:
    """Whether there is an export that has a state at all."""
    return one.state not in ("missing", "unknown")


def open_metrics(found: Sequence[Status]) -> str:
    """Gauges per export, failures by kind, and each cluster's capacity; ends with ``# EOF``."""
    each = [(status, one) for status in found for one in status.exports]
    lines: list[str] = []
    for name, purpose, value in _METRICS:
        lines += [f"# TYPE kxrecon_export_{name} gauge", f"# HELP kxrecon_export_{name} {purpose}"]
        for status, one in each:
            number = value(one)
            if number is not None:
                lines.append(f"kxrecon_export_{name}{_labels(status, export=one.export)} {number:.15g}")
    lines += [
        "# TYPE kxrecon_export_recent_failures gauge",
        "# HELP kxrecon_export_recent_failures Failed runs by kind",
    ]
    for status, one in each:
        for kind, count in sorted(one.failures.items()):
            lines.append(f"kxrecon_export_recent_failures{_labels(status, export=one.export, kind=kind)} {count}")
    lines += ["# TYPE kxrecon_capacity gauge", "# HELP kxrecon_capacity Exports that may run at the same time, and do"]
    for status in found:
        if status.capacity.total is not None:
            lines.append(f"kxrecon_capacity{_labels(status, state='total')} {status.capacity.total}")
            lines.append(f"kxrecon_capacity{_labels(status, state='consumed')} {status.capacity.consumed}")
    return "\n".join([*lines, "# EOF"]) + "\n"


def _labels(status: Status, **labels: str) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in {"cluster": status.cluster, **labels}.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
