"""What an apply began and what it finished, one line per event, on disk before the next byte is sent.

A run that was killed leaves a journal whose last run has no end; the next plan says so. Exports that a
run disabled and did not enable again (``pause.py``) are remembered here, so that they are not taken
for jobs that somebody stopped on purpose. Where exports stood before a run, and which bounded exports it
owed, stays here until it is settled: seen to be as it should be, or somebody said that it was seen to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.cursors import KIND, Fill, dropped, risked
from kxrecon.errors import MALFORMED, FileError
from kxrecon.files import append, appending, ends_in_line, named
from kxrecon.leaves import request_unknowns
from kxrecon.model import Action, Position, Ref

if TYPE_CHECKING:
    from kxrecon.apply import Event
    from kxrecon.plan import Plan

_OF_ACTIONS = ("action", "phase")


class Journal:
    """Appends events to a file, each written through to the disk before the call returns."""

    def __init__(self, path: Path, cluster_uri: str, wire: str) -> None:
        self._path = path
        self._frame = {"cluster": cluster_uri, "wire": wire}

    def begin(self, plan: Plan, positions: Iterable[Position] | None = None, running: Iterable[Ref] = ()) -> None:
        """A run starts. ``OSError`` (a full disk) stops it before anything is sent.

        ``positions``: where its exports stand now (None: as the plan has it). ``running``: exports that earlier runs
        paused and that are seen to run.
        """
        risky, gone = risked(plan.actions), dropped(plan.actions)
        stood = [one for one in (plan.positions if positions is None else positions) if one.ref not in gone]
        told = {
            "plan": plan.digest,
            "actions": len(plan.actions),
            "backfills": [_owed(action) for action in plan.actions if action.phase == "backfill"],
            "positions": [[*one.ref.name, one.start_cursor, one.exported_to, one.ref in risky] for one in stood],
            "running": [list(ref.name) for ref in running],
        }
        self._append({"event": "run-began", **told})

    def note(self, event: Event) -> None:
        """An action began, is about to be sent, or ended."""
        line: dict[str, Any] = {"event": f"action-{event.what}", "action": event.action.id, "phase": event.action.phase}
        line["verb"] = event.action.verb
        line["refs"] = [[ref.kind, *ref.name] for ref in event.action.refs]
        if event.outcome:
            line |= {"result": event.outcome.result, "message": event.outcome.message}
        self._append(line)

    def end(self, result: str) -> None:
        """The run is over: ``converged``, ``failed``, ``interrupted`` …"""
        self._append({"event": "run-ended", "result": result})

    def settle(self, exports: Iterable[Ref], by: str) -> None:
        """Nothing is open about these exports any more: a look showed it (``looked``), or somebody said so."""
        self._append({"event": "settled", "exports": [list(ref.name) for ref in exports], "by": by})

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps({"time": datetime.now(UTC).isoformat(), **self._frame, **line}, ensure_ascii=False)
        with appending(self._path) as descriptor:
            # What a killed run left of a line must not swallow this one.
            fresh = "" if ends_in_line(descriptor) else "\n"
            append(descriptor, f"{fresh}{text}\n".encode())


def _owed(action: Action) -> dict[str, Any]:
    """A bounded export that a run owes: after which creation, and from whose place on, if it follows another one."""
    (export,) = action.refs
    others = (leaf.ref for request in action.requests for leaf in request_unknowns(request) if leaf.ref != export)
    old = next(others, None)
    return {"action": action.id, "export": list(export.name), "follows": old.name[1] if old else None}


@dataclass(frozen=True, slots=True)
class History:
    """What a journal tells about one cluster: the last run, if it never ended, and what it had begun; exports still
    paused, and those that stopped because another one follows them; and what is not settled: where exports stood before
    runs (``risked``: a plan said that they may move), bounded exports that nobody saw end. ``filled``: exports whose
    bounded export was seen to end."""

    unfinished: str | None = None
    begun: tuple[str, ...] = ()
    paused: frozenset[Ref] = frozenset()
    resting: frozenset[Ref] = frozenset()
    positions: tuple[Position, ...] = ()
    risked: frozenset[Ref] = frozenset()
    unfilled: tuple[Fill, ...] = ()
    filled: frozenset[Ref] = frozenset()

    @property
    def owed(self) -> Mapping[Ref, Ref]:
        """The exports whose bounded export nobody saw end, by the one from whose place on it has to begin."""
        return {one.follows: one.export for one in self.unfilled if one.follows is not None}


@dataclass
class _Past:
    """A history while its journal is read, line by line."""

    unfinished: str | None = None
    begun: dict[str, None] = field(default_factory=dict)
    paused: set[Ref] = field(default_factory=set)
    resting: set[Ref] = field(default_factory=set)
    positions: dict[Ref, Position] = field(default_factory=dict)
    risked: set[Ref] = field(default_factory=set)
    unfilled: dict[str, Fill] = field(default_factory=dict)
    filled: set[Ref] = field(default_factory=set)

    def read(self, line: Mapping[str, Any]) -> None:
        """Take one line in."""
        match line["event"]:
            case "run-began":
                self._began(line)
            case "run-ended":
                self.unfinished = None
            case "settled":
                self._settled({Ref(KIND, tuple(name)) for name in line["exports"]}, by=line["by"])
            case "action-began":
                self.begun[line["action"]] = None
            case "action-sending":
                self._sending(line)
            case "action-ended":
                self.begun.pop(line["action"], None)
                if line.get("result") == "done":
                    self._done(line, _refs(line))

    def _began(self, line: Mapping[str, Any]) -> None:
        self.unfinished, self.begun = line["time"], {}
        self.paused -= {Ref(KIND, tuple(name)) for name in line.get("running", ())}
        for database, name, start, exported, risky in line.get("positions", ()):
            ref = Ref(KIND, (database, name))
            # What an earlier run left open is compared with where it stood before that one.
            if self.positions.setdefault(ref, Position(ref, start, exported)).start_cursor == start:
                self.risked = self.risked | {ref} if risky else self.risked - {ref}
        for one in line.get("backfills", ()):
            export, old = Ref(KIND, tuple(one["export"])), one["follows"]
            follows = Ref(KIND, (export.name[0], old)) if old else None
            self.unfilled[one["action"]] = Fill(one["action"], export, follows)
            self.filled.discard(export)

    def _sending(self, line: Mapping[str, Any]) -> None:
        if line["phase"] == "disable":
            self.paused |= _refs(line)
        if line["phase"] == "stop":
            self.resting |= _refs(line)
        if line["action"] in self.unfilled:
            self.unfilled[line["action"]] = replace(self.unfilled[line["action"]], sent=True)

    def _done(self, line: Mapping[str, Any], refs: set[Ref]) -> None:
        self._sending(line)  # where it was so already, nothing was sent
        if line["phase"] == "backfill":
            self.unfilled.pop(line["action"], None)
            self.filled |= refs
        if line["phase"] in ("enable", "apply"):
            self.paused -= refs
            self.resting -= refs
        if line.get("verb") == "delete":
            self._settled(refs, by="dropped")

    def _settled(self, exports: set[Ref], *, by: str) -> None:
        for ref in exports:
            self.positions.pop(ref, None)
        self.risked -= exports
        if by == "looked":
            return  # that shows where exports stand, not what was exported once
        self.unfilled = {key: one for key, one in self.unfilled.items() if one.export not in exports}
        self.filled = self.filled - exports if by == "dropped" else self.filled | exports


def history(path: Path, cluster_uri: str, wire: str) -> History:
    """Read a journal. A missing file is an empty history; a torn last line (a kill while writing) is skipped."""
    past = _Past()
    for line in _lines(path):
        if line.get("cluster") == cluster_uri and line.get("wire") == wire:
            past.read(line)
    return History(
        past.unfinished,
        tuple(past.begun),
        frozenset(past.paused),
        frozenset(past.resting),
        tuple(past.positions.values()),
        frozenset(past.risked),
        tuple(past.unfilled.values()),
        frozenset(past.filled),
    )


def last_begun(path: Path, cluster_uri: str, wire: str) -> tuple[datetime, str] | None:
    """When the last apply on a cluster began to write, and the digest of its plan; None if there was none."""
    found: tuple[datetime, str] | None = None
    for line in _lines(path):
        if (line.get("cluster"), line.get("wire"), line["event"]) == (cluster_uri, wire, "run-began"):
            found = datetime.fromisoformat(str(line["time"])), str(line.get("plan"))
    return found


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
    names = [name for _, *name in line.get("refs", ())] + [[*one[:2]] for one in line.get("positions", ())]
    names += [*line.get("running", ()), *line.get("exports", ())]
    for one in line.get("backfills", ()):
        names.append([one["action"], *one["export"], *([one["follows"]] if one["follows"] is not None else ())])
    texts += (part for name in names for part in name)
    texts += [line["by"]] if line["event"] == "settled" else []
    return all(isinstance(one, str) for one in texts) and all(len(one) == 5 for one in line.get("positions", ()))


def _refs(line: Mapping[str, Any]) -> set[Ref]:
    return {Ref(kind, tuple(name)) for kind, *name in line.get("refs", ())}
