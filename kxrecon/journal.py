"""What an apply began and what it finished, one line per event, on disk before the next byte is sent.

A run that was killed leaves a journal whose last run has no end; the next plan says so. Exports that a
run disabled and did not enable again (``pause.py``) are remembered here, so that they are not taken
for jobs that somebody stopped on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.errors import MALFORMED, FileError
from kxrecon.files import append, appending, ends_in_line, named
from kxrecon.model import Position, Ref

if TYPE_CHECKING:
    from kxrecon.apply import Event
    from kxrecon.plan import Plan

_OF_ACTIONS = ("action", "phase")


class Journal:
    """Appends events to a file, each written through to the disk before the call returns."""

    def __init__(self, path: Path, cluster_uri: str, wire: str) -> None:
        self._path = path
        self._frame = {"cluster": cluster_uri, "wire": wire}

    def begin(self, plan: Plan) -> None:
        """A run starts. ``OSError`` (a full disk) stops it before anything is sent."""
        fills = [action.id for action in plan.actions if action.phase == "backfill"]
        positions = [[*one.ref.name, one.start_cursor, one.exported_to] for one in plan.positions]
        told = {"plan": plan.digest, "actions": len(plan.actions), "backfills": fills, "positions": positions}
        self._append({"event": "run-began", **told})

    def note(self, event: Event) -> None:
        """An action began or ended."""
        line: dict[str, Any] = {"event": f"action-{event.what}", "action": event.action.id, "phase": event.action.phase}
        line["refs"] = [[ref.kind, *ref.name] for ref in event.action.refs]
        if event.outcome:
            line |= {"result": event.outcome.result, "message": event.outcome.message}
        self._append(line)

    def end(self, result: str) -> None:
        """The run is over: ``converged``, ``failed``, ``interrupted`` …"""
        self._append({"event": "run-ended", "result": result})

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps({"time": datetime.now(UTC).isoformat(), **self._frame, **line}, ensure_ascii=False)
        with appending(self._path) as descriptor:
            # What a killed run left of a line must not swallow this one.
            fresh = "" if ends_in_line(descriptor) else "\n"
            append(descriptor, f"{fresh}{text}\n".encode())


@dataclass(frozen=True, slots=True)
class History:
    """What a journal tells about one cluster: the last run, if it never ended, with the places of its exports
    before it; exports still paused; the last run's backfills that were not seen to end; which of these began."""

    unfinished: str | None = None
    begun: tuple[str, ...] = ()
    paused: frozenset[Ref] = frozenset()
    positions: tuple[Position, ...] = ()
    unfilled: tuple[str, ...] = ()
    sent: frozenset[str] = frozenset()


def history(path: Path, cluster_uri: str, wire: str) -> History:
    """Read a journal. A missing file is an empty history; a torn last line (a kill while writing) is skipped."""
    unfinished: str | None = None
    begun: dict[str, None] = {}
    paused: set[Ref] = set()
    unfilled: dict[str, None] = {}
    sent: set[str] = set()
    positions: tuple[Position, ...] = ()
    for line in _lines(path):
        if line.get("cluster") != cluster_uri or line.get("wire") != wire:
            continue
        match line["event"]:
            case "run-began":
                unfinished, begun, sent = line["time"], {}, set()
                unfilled = dict.fromkeys(line.get("backfills", ()))
                positions = tuple(_positions(line))
            case "run-ended":
                unfinished, positions = None, ()
            case "action-began":
                begun[line["action"]] = None
                sent.add(line["action"])
                if line["phase"] == "disable":
                    paused |= _refs(line)
            case "action-ended":
                begun.pop(line["action"], None)
                if line.get("result") == "done":
                    unfilled.pop(line["action"], None)
                if line["phase"] in ("enable", "apply") and line.get("result") == "done":
                    paused -= _refs(line)
    return History(
        unfinished, tuple(begun), frozenset(paused), positions, tuple(unfilled), frozenset(sent & set(unfilled))
    )


def last_begun(path: Path, cluster_uri: str, wire: str) -> tuple[datetime, str] | None:
    """When the last apply on a cluster began to write, and the digest of its plan; None if there was none."""
    found: tuple[datetime, str] | None = None
    for line in _lines(path):
        if (line.get("cluster"), line.get("wire"), line["event"]) == (cluster_uri, wire, "run-began"):
            found = datetime.fromisoformat(str(line["time"])), str(line.get("plan"))
    return found


def _positions(line: Mapping[str, Any]) -> Iterator[Position]:
    for database, name, start, exported in line.get("positions", ()):
        yield Position(Ref("continuous_export", (database, name)), start, exported)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal. What was cut off, or is not ours, is none. Raises FileError."""
    try:
        with named(f"the journal {path} cannot be read"):
            text = path.read_text(encoding="utf-8", errors="replace")
    except FileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return
        raise
    for raw in text.split("\n"):
        with suppress(*MALFORMED):
            line = json.loads(raw)
            if _is_whole(line):
                yield line


def _is_whole(line: Mapping[str, Any]) -> bool:
    """Whether a line has what its event has, in its form. Raises one of MALFORMED for what is no line of ours."""
    texts = [line["event"], line["time"], *(line[name] for name in _OF_ACTIONS if line["event"].startswith("action-"))]
    texts += line.get("backfills", ())
    names = [name for _, *name in line.get("refs", ())] + [[*one[:2]] for one in line.get("positions", ())]
    texts += (part for name in names for part in name)
    return all(isinstance(one, str) for one in texts) and all(len(one) == 4 for one in line.get("positions", ()))


def _refs(line: Mapping[str, Any]) -> set[Ref]:
    return {Ref(kind, tuple(name)) for kind, *name in line.get("refs", ())}
