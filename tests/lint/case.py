"""A case of a lint rule as data: what triggers it, and what nearly does.

``export``, ``archive``, ``rows`` patch the export, the storage and the SQL table of base.yaml; ``spec`` patches anything.
``cluster`` makes it a connected check: what the spec holds is there, and what is said beside it (a database: its
``tables``, ``views``, ``functions`` by name, ``access`` by policy, ``accessMode``; or the word ``absent``); ``gone``
is what the plan deletes; ``server`` what it says when it is asked (served.py). ``says`` is a part of the message, ``at`` how the text at the finding's place goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import json_merge_patch
from ruamel.yaml import YAML

from kxrecon import kql
from kxrecon.lint import Checked, check
from kxrecon.lint.pack import Asking
from kxrecon.lint.server import Server
from kxrecon.model import Entity, Failure, Gap, Reading, Ref, State
from kxrecon.spec import Spec, load
from tests.lint.served import ARCHIVE, made, told

HERE = Path(__file__).parent
POLICIES = ("restricted_view_access", "row_level_security")
SECTIONS = {
    "export": ("continuousExports", "Job"),
    "archive": ("externalTables", "Archive"),
    "rows": ("externalTables", "Rows"),
}


def read(path: Path) -> Any:
    """A YAML file."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


BASE = json.dumps(read(HERE / "base.yaml"))


@dataclass(frozen=True)
class Case:
    """One patched spec and, if it is a connected check, what the cluster holds."""

    data: dict[str, Any]

    def spec(self, folder: Path) -> Spec:
        """The spec, loaded from a file in ``folder``."""
        document = json.loads(BASE)
        for name, (section, entry) in SECTIONS.items():
            document = json_merge_patch.merge(
                document, {"databases": {"Telemetry": {section: {entry: self.data.get(name, {})}}}}
            )
        document = json_merge_patch.merge(document, self.data.get("spec", {}))
        (folder / "spec.yaml").write_text(json.dumps(document, indent=2), encoding="utf-8")
        return load([str(folder / "spec.yaml")], environ={"KXRECON_VAR_password": "x"})

    def checked(self, spec: Spec, *, deep: bool, ask: Asking | None = None) -> Checked:
        """What the pack says."""
        if ask is None and "server" in self.data:
            actions = [made(spec.desired.entities[ARCHIVE].fields)]
            ask = Server(told(self.data["server"]), spec.scope, actions, {}).judge
        gone = frozenset(Ref(kind, tuple(name)) for kind, *name in self.data.get("gone", ()))
        return check(spec.document, spec.desired, self.observed(spec), gone=gone, deep=deep, ask=ask)

    def observed(self, spec: Spec) -> State | None:
        """What the cluster holds; None offline."""
        if "cluster" not in self.data:
            return None
        said = self.data["cluster"] or {}
        gaps = tuple(
            Gap(kind, (name,), Failure("absent", "no such database"))
            for name, one in said.items()
            if one == "absent"
            for kind in ("table", "function")
        )
        absent = {gap.prefix[0] for gap in gaps}
        entities = {
            ref: entity
            for ref, entity in spec.desired.entities.items()
            if ref.kind in ("table", "function") and ref.name[0] not in absent
        }
        readings: dict[Ref, Reading] = {}
        for name in {*spec.scope.databases, *said} - absent:
            found, shown = database(name, said.get(name) or {})
            entities |= found
            readings |= {one.ref: one for one in shown}
        return State(entities, readings, gaps)


def database(name: str, said: dict[str, Any]) -> tuple[dict[Ref, Entity], list[Reading]]:
    """What a database holds beside the spec's."""
    entities: dict[Ref, Entity] = {}
    for table, fields in said.get("tables", {}).items():
        fields = {"ingestionTimePolicy": True, **fields, "columns": kql.columns(fields["columns"])}
        entities[Ref("table", (name, table))] = Entity(Ref("table", (name, table)), fields)
    for function, body in said.get("functions", {}).items():
        ref = Ref("function", (name, function))
        entities[ref] = Entity(ref, {"body": body, "parameters": "()"})
    access = said.get("access", {})
    told = {policy: frozenset(access.get(policy) or ()) for policy in POLICIES if access.get(policy, ()) is not None}
    readings = [
        Reading(Ref("database", (name,)), {"accessMode": said.get("accessMode", "ReadWrite")}),
        Reading(Ref("table_policies", (name,)), told),
    ]
    for view, columns in said.get("views", {}).items():
        readings.append(Reading(Ref("materialized_view", (name, view)), {"columns": kql.columns(columns)}))
    return entities, readings
