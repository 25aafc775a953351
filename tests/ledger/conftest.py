"""A spec with something hidden in every place, on a fresh sandbox, with a ledger in a file or in a table."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kxrecon import planfile
from kxrecon.ledger.seal import KEY
from kxrecon.testing import Sandbox
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string"
HOST = "https://contosoexport.blob.core.windows.net/events"
THE_KEY = "a key for tests, long enough"
SPEC: dict[str, Any] = {
    **HEAD,
    "name": "ours",
    "variables": {"sas": {"secret": True}},
    "targets": {**HEAD["targets"], "sas": {"url": HOST, "auth": "sas", "secret": "${sas}"}},
    "databases": {
        "Telemetry": {
            "tables": {"Events": {"columns": COLUMNS}},
            "functions": {"Recent": {"body": 'Events | where Level != h"hush"', "view": True}},
            "externalTables": {
                "Out": {"kind": "storage", "columns": COLUMNS, "target": "sas", "dataFormat": "csv"},
                "Lake": {"kind": "storage", "columns": COLUMNS, "target": "blob", "dataFormat": "csv", "path": "p"},
            },
            "continuousExports": {
                "Job": {
                    "over": ["Events"],
                    "to": "Lake",
                    "query": "Events | where Level != 'Debug' | take 100",
                    "managedIdentity": "exporter",
                    "intervalBetweenRuns": "10m",
                }
            },
        }
    },
}
BACKENDS = {"file": {"file": "ledger.jsonl"}, "table": {"database": "Ops"}}


class Team:
    """People with one spec: they edit it, rotate its secret, apply it; and somebody else with a keyboard."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, ledger: Mapping[str, Any] | None) -> None:
        self.sandbox, self._patch = sandbox, monkeypatch
        self.spec = copy.deepcopy(SPEC)
        if ledger is not None:
            self.spec["ledger"] = dict(ledger)
        self.path = sandbox.folder / "ours.yaml"
        self.key(THE_KEY)
        self.secret("sv=1&sig=first")
        self.write()

    @property
    def database(self) -> dict[str, Any]:
        """The part of the spec that most edits are about."""
        found: dict[str, Any] = self.spec["databases"]["Telemetry"]
        return found

    def write(self) -> None:
        """Save the spec."""
        self.path.write_text(json.dumps(self.spec), encoding="utf-8")

    def key(self, key: str | None) -> None:
        """The ledger's key from now on."""
        if key is None:
            self._patch.delenv(KEY, raising=False)
        else:
            self._patch.setenv(KEY, key)

    def secret(self, value: str) -> None:
        """The secret's value from now on."""
        self._patch.setenv("KXRECON_VAR_sas", value)

    def run(self, verb: str, *arguments: str) -> Any:
        """A verb about the spec."""
        return self.sandbox.run(verb, str(self.path), *arguments)

    def apply(self, *arguments: str) -> Any:
        """Apply; AssertionError unless it converged."""
        told = self.run("apply", "--yes", *arguments)
        assert told.code == 0, told.text
        return told

    def plan(self, *arguments: str) -> Any:
        """The plan as a value; what planning sent must have been reads."""
        told = self.run("plan", *arguments)
        assert told.code == 0, told.text
        assert not told.writes
        return planfile.load(self.sandbox.folder / ".kxrecon" / "plan.json")

    def changed(self, *arguments: str) -> dict[str, list[str]]:
        """Label → the top-level fields that a plan changes; empty for a creation or a deletion."""
        return {
            change.ref.label: sorted({part.field.split("[")[0] for part in change.fields})
            for action in self.plan(*arguments).actions
            for change in action.changes
            if change.verb != "update" or change.fields
        }

    def doubted(self) -> dict[str, list[str]]:
        """Label → what the plan says of fields that it cannot verify."""
        found: dict[str, list[str]] = {}
        for finding in self.plan().findings:
            if finding.kind == "unverifiable":
                found.setdefault(finding.ref.label, []).append(finding.message)
        return found

    def by_hand(self, secret: str = "sv=1&sig=evil", table: str = "Out") -> None:
        """Somebody writes the external table with another secret: it looks as before."""
        schema = COLUMNS.replace(" ", "")
        uri = f"{HOST}?{secret}" if table == "Out" else f"{HOST}/p?{secret}"
        command = f".create-or-alter external table {table} ({schema}) kind=storage dataformat=csv (h@'{uri}')"
        self.sandbox.kql(command, "Telemetry")

    def rows(self) -> list[dict[str, Any]]:
        """What the ledger holds, oldest first."""
        if "file" in self.spec["ledger"]:
            lines = (self.sandbox.folder / "ledger.jsonl").read_text().splitlines()
            return [json.loads(line) for line in lines]
        found = self.sandbox.kql("KxreconLedger", "Ops")
        return [{**row, "Entity": json.loads(row["Entity"]), "Body": json.loads(row["Body"])} for row in found]

    def text(self) -> str:
        """Everything that the ledger holds, as one text."""
        return json.dumps(self.rows())


@pytest.fixture
def team(request, kxrecon_sandbox, monkeypatch):
    """A team with a ledger in a file; ``indirect``: in a table, or without one."""
    which = getattr(request, "param", "file")
    return Team(kxrecon_sandbox, monkeypatch, BACKENDS.get(which))


def both(test: Any) -> Any:
    """A test with the ledger in a file and in a table."""
    return pytest.mark.parametrize("team", list(BACKENDS), indirect=True)(test)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a ledger's file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
