"""What an apply began and what it finished, one line per event, on disk before the next byte is sent.

A run that was killed leaves a journal whose last run has no end; the next plan says so. Exports that a
run disabled and did not enable again (``pause.py``) are remembered here, so that they are not taken
for jobs that somebody stopped on purpose.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.model import Position, Ref

if TYPE_CHECKING:
    from kxrecon.apply import Event
    from kxrecon.plan import Plan


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
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"time": datetime.now(UTC).isoformat(), **self._frame, **line}, ensure_ascii=False)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (text + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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


def result_of(path: Path, cluster_uri: str, wire: str, digest: str) -> str | None:
    """How the last apply of a plan ended (``done``, ``failed`` …); None if there was none, or it did not end."""
    result: str | None = None
    mine = False
    for line in _lines(path):
        if line.get("cluster") != cluster_uri or line.get("wire") != wire:
            continue
        if line["event"] == "run-began":
            mine = line.get("plan") == digest
            result = None if mine else result
        elif line["event"] == "run-ended" and mine:
            result, mine = str(line.get("result")), False
    return result


def _positions(line: Mapping[str, Any]) -> Iterator[Position]:
    for database, name, start, exported in line.get("positions", ()):
        yield Position(Ref("continuous_export", (database, name)), start, exported)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and "event" in line:
            yield line


def _refs(line: Mapping[str, Any]) -> set[Ref]:
    return {Ref(kind, tuple(name)) for kind, *name in line.get("refs", ())}
