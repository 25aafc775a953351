"""Random days of one export whose rows are counted in its files: ingested, exported, changed, renamed, crashed."""

from __future__ import annotations

import json
import random
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

from kxrecon import cursors
from kxrecon.commands._files import JOURNAL
from kxrecon.journal import Journal
from kxrecon.sandbox import switches
from tests.chaos.crash import crashing
from tests.chaos.estate import BEFORE
from tests.ground import Ground, spec_of


class Days:
    """One estate under random steps. After ``finish`` each ingested row stands in exactly one place of a file."""

    def __init__(self, ground: Ground, seed: int, cursor_on_alter: str) -> None:
        self.ground, self.order = ground, random.Random(seed)
        self.document: dict[str, Any] = deepcopy(BEFORE)
        content = self.document["databases"]["Telemetry"]
        content["externalTables"].pop("Lake")
        content["continuousExports"].pop("ToLake")
        self.exports = content["continuousExports"]
        self.table = content["externalTables"]["Blob"]
        self.name, self.rows, self.told = "ToBlob", 0, [f"seed {seed}, cursor {cursor_on_alter} on alter"]
        world = ground.store
        switches.save(world, replace(switches.load(world), cursor_on_alter=cursor_on_alter))

    def live(self, steps: int) -> None:
        """A first apply with a backfill, then so many steps."""
        tables = {**self.document, "databases": {"Telemetry": {"tables": BEFORE["databases"]["Telemetry"]["tables"]}}}
        self.ground.converge(spec_of(json.dumps(tables), self.ground.folder))
        if self.order.random() < 0.7:
            self.ingest()
        self.exports[self.name]["backfill"] = True
        self.apply()
        acts = (self.ingest, self.ingest, self.tick, self.tick, self.change, self.repath, self.rename)
        for _ in range(steps):
            self.order.choice(acts)()

    def ingest(self) -> None:
        """Some rows, each with a text of its own."""
        count = self.order.randint(1, 4)
        self.told.append(f"ingest {count}")
        rows = [["2026-03-05T10:00:00Z", f"row{self.rows + number}"] for number in range(count)]
        self.rows += count
        self.ground.ingest("Events", rows)

    def tick(self) -> None:
        """A quarter of an hour."""
        self.told.append("tick")
        assert all(run.succeeded for run in self.ground.tick(minutes=15))

    def change(self) -> None:
        """Another interval: one create-or-alter of the running export."""
        self.exports[self.name]["intervalBetweenRuns"] = f"{self.order.randint(2, 14)}m"
        self.apply()

    def repath(self) -> None:
        """Other file names: the export stands still meanwhile."""
        self.table["fileExtension"] = f".x{self.order.randint(1, 999)}"
        self.apply()

    def rename(self) -> None:
        """A new export takes over where the old one stopped."""
        old, self.name = self.name, f"{self.name}x"
        entry = {key: value for key, value in self.exports.pop(old).items() if key != "backfill"}
        self.exports[self.name] = {**entry, "renamedFrom": old}
        self.apply()

    def apply(self) -> None:
        """Now and then it dies on the way; then somebody does what the next plan says, and applies again."""
        spec = spec_of(json.dumps(self.document), self.ground.folder)
        plan = self.ground.plan(spec)
        self.told.append(f"apply {[one.id for one in plan.actions]}")
        if self.order.random() < 0.4:
            mode, at = self.order.choice(("before", "sent", "answered")), self.order.randint(8, 40)
            with crashing(self.ground, mode, at) as crasher:
                self.ground.apply(spec, workers=1)
            if crasher.dead:
                self.told.append(f"died {mode} {at}")
                self._recover(spec)
                return
        failed = [one for one in self.ground.apply(spec, workers=1) if one.result != "done"]
        assert not failed, failed
        self._settle(self._moved(plan))

    def _moved(self, plan: Any) -> list[str]:
        """The repairs of what does not stand where it stood."""
        stood = [one for one in plan.positions if one.ref not in cursors.dropped(plan.actions)]
        return [one.repair for one in cursors.moved(stood, cursors.risked(plan.actions), self._observed())]

    def _settle(self, commands: list[str]) -> None:
        """Repair, and say so."""
        self._repair(commands)
        journal = Journal(JOURNAL, self.document["cluster"]["uri"], self.ground.name)
        journal.settle(self._observed().readings, by="somebody")

    def _recover(self, spec: Any) -> None:
        """What the plan after a death says, done as a person would: look for the operation, else run the command."""
        plan = self.ground.plan(spec)
        commands = []
        for one in plan.findings:
            if one.kind == "moved":
                sent = "see the end" in one.message
                if not (sent and self._exported_since(one)):
                    commands.append(one.remedy[one.remedy.index(".export async") :])
        outcomes = self.ground.apply(spec, plan, workers=1)
        assert all(one.result == "done" for one in outcomes), outcomes
        self._settle([*commands, *self._moved(plan)])

    def _exported_since(self, finding: Any) -> bool:
        """Whether ``.show operations`` has a completed export that the plan before this death asked for."""
        done = [one for one in self.ground.kql(".show operations") if one["State"] == "Completed"]
        return len(done) > self.repaired_and_seen

    @property
    def repaired_and_seen(self) -> int:
        """Exports asked for that are accounted for already."""
        return self._seen

    _seen = 0

    def _repair(self, commands: list[str]) -> None:
        for command in commands:
            self.told.append(command)
            (started,) = self.ground.kql(command)
            (operation,) = self.ground.kql(f".show operations {started['OperationId']}")
            assert operation["State"] == "Completed", operation
        self._seen = len(self.ground.kql(".show operations"))

    def _observed(self) -> Any:
        from kxrecon.observe import observe

        spec = spec_of(json.dumps(self.document), self.ground.folder)
        return observe(spec.scope, self.ground.readers, kinds=("continuous_export",)).state

    def finish(self) -> None:
        """One more run; then each row is in the files exactly once."""
        self.tick()
        self.tick()
        lines = [line for path in self.ground.store.files.rglob("*") if path.is_file() for line in path.open()]
        found = Counter(line.strip().rpartition(",")[2] for line in lines)
        lost = [number for number in range(self.rows) if f"row{number}" not in found]
        doubled = [row for row, times in found.items() if times > 1]
        assert not lost and not doubled, (lost, doubled, "\n".join(self.told))
