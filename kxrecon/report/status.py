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
    "disabled": "remove",
    "disabled-by-spec": "dim",
    "missing": "remove",
    "unknown": "warn",
}
HEAD = ("export", "state", "last run", "result", "exported up to", "every", "overdue by", "failures")


def text(status: Status) -> Iterator[Line]:
    """One line an export, those that need somebody first, then what the service says of them."""
    exports = sorted(status.exports, key=lambda one: (one.state not in ALARMS, one.export))
    head = HEAD if all(one.files is None for one in exports) else (*HEAD, "files", "records")
    rows = [_row(one, len(head) > len(HEAD)) for one in exports]
    widths = [max([len(name), *(len(row[at]) for row in rows)]) for at, name in enumerate(head)]
    yield _line(head, widths, "bold")
    for one, row in zip(exports, rows, strict=True):
        yield _line(row, widths, STYLES[one.state])
        for said in (one.message, one.untold):
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


def _row(one: Health, artifacts: bool) -> tuple[str, ...]:
    failures = ", ".join(f"{number} {kind}" for kind, number in sorted(one.failures.items()))
    cells = (
        *(one.export, one.state, moment(one.last_run), one.result or "-", moment(one.exported_to)),
        *(span(one.interval), span(one.lateness), failures or "-"),
    )
    counted = ["?" if number is None else str(number) for number in (one.files, one.records)]
    return (*cells, *counted) if artifacts else cells


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
    ill = len(status.alarming)
    capacity = status.capacity
    room = (
        f"capacity not known ({capacity.why})"
        if capacity.total is None
        else f"{capacity.consumed} of {capacity.total} slots in use"
    )
    plural = "" if len(status.exports) == 1 else "s"
    return f"{len(status.exports)} export{plural}, {ill or 'none'} to look after; {room}."


def document(status: Status) -> dict[str, Any]:
    """Everything for JSON, instants in ISO 8601, spans in seconds."""
    exports = [
        {
            "export": one.export,
            "state": one.state,
            "alarming": one.state in ALARMS,
            "enabled": one.enabled,
            "intervalSeconds": one.interval,
            "lastRun": one.last_run.isoformat() if one.last_run else None,
            "lastResult": one.result or None,
            "exportedTo": one.exported_to.isoformat() if one.exported_to else None,
            "latenessSeconds": one.lateness,
            "failures": dict(one.failures),
            "message": one.message or None,
            "files": one.files,
            "records": one.records,
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
    ("healthy", "1 if nobody has to look after the export", lambda one: float(one.state not in ALARMS)),
    ("enabled", "1 if the export is enabled", lambda one: float(one.enabled)),
    ("interval_seconds", "Time between runs", lambda one: one.interval),
    ("lateness_seconds", "Time by which a run is overdue", lambda one: one.lateness),
    ("last_run_timestamp_seconds", "When it ran last", lambda one: one.last_run.timestamp() if one.last_run else None),
    (
        "exported_to_timestamp_seconds",
        "Records ingested before are exported",
        lambda one: one.exported_to.timestamp() if one.exported_to else None,
    ),
)


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
