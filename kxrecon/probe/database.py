"""Probes of what a database tells of itself: its script, its journal, the form of its answers."""

from __future__ import annotations

import json
import re
from typing import Any

from kxrecon.kql import identifier
from kxrecon.model import Read
from kxrecon.probe.commands import OF_EACH_TYPE, PREFIX, TYPED, VIEW, own
from kxrecon.probe.furniture import SAMPLE
from kxrecon.probe.model import EITHER, CannotTell, Probe, Scene, Verdict

WILDCARDS = (
    *("caching", "extent_tags_retention", "ingestionbatching", "ingestiontime", "merge", "partitioning"),
    *("restricted_view_access", "retention", "row_level_security", "roworder", "sharding", "update"),
)
"""Policies whose wildcard is in Microsoft's grammar."""
_CLOCK = re.compile(r"(\d+\.)?\d\d:\d\d:\d\d(\.\d+)?")


# ---- script, journal, wire
def _view_shown(scene: Scene) -> Verdict:
    scene.made(VIEW)
    line = next((str(row[0]) for row in scene.after["script"].rows if VIEW in str(row[0])), "")
    kind = next((one.get("FunctionKind") for one in _schema(scene, "Functions", VIEW)), None)
    scripted, listed = "view" in line.partition(VIEW)[0].lower(), "view" in str(kind).lower()
    answer = "both" if scripted and listed else "script" if scripted else "schema" if listed else "nowhere"
    return Verdict(answer, {"script": line.partition("{")[0], "FunctionKind": kind})


def _types(scene: Scene) -> Verdict:
    """How the columns of a table with one of each type are called in the schema."""
    scene.made(TYPED)
    (known,) = _schema(scene, "Tables", TYPED)
    shown = {str(one["Name"]): (one.get("CslType"), one.get("Type")) for one in known["OrderedColumns"]}
    same = all(shown[name][0] == kind for name, kind in OF_EACH_TYPE)
    return Verdict("by-name" if same else "another", shown)


def _schema(scene: Scene, section: str, name: str) -> list[dict[str, Any]]:
    """What the schema as JSON says of something of ours; [] if it says nothing."""
    text = "".join(str(row[0]) for row in scene.after["schema"].rows)
    listed = [one for known in json.loads(text)["Databases"].values() for one in (known[section] or {}).values()]
    return [one for one in listed if one.get("Name") == name]


def _wildcards(scene: Scene) -> Verdict:
    refused = [name for name, told in zip(WILDCARDS, scene.told, strict=True) if told.refusal]
    return Verdict("all" if not refused else f"all but {', '.join(refused)}")


def _journalled(scene: Scene) -> list[dict[str, Any]]:
    rows = [row for row in scene.rows("journal") if PREFIX in str(row["ChangeCommand"])]
    if not rows:
        raise CannotTell("the journal has no entry of what was made; others than admins see only their own")
    return rows


def _request_ids(scene: Scene) -> Verdict:
    shown = [str(row["ClientRequestId"] or "") for row in _journalled(scene)]
    return Verdict("filled" if any(one.startswith("kxrecon;") for one in shown) else "not-filled", shown[-1:])


def _events(scene: Scene) -> Verdict:
    rows = _journalled(scene)
    scene.made(SAMPLE)
    exports = {str(row["Event"]) for row in rows if "continuous-export" in str(row["ChangeCommand"])}
    events = sorted({str(row["Event"]) for row in rows})
    return Verdict("listed" if exports else "not-listed", {"of exports": sorted(exports), "all": events})


def _bool(scene: Scene) -> Verdict:
    rows = scene.rows("databases")
    value = rows[0]["IsCurrent"] if rows else None
    known = {bool: "boolean", int: "number", str: "text"}
    return Verdict(known.get(type(value), "another"), {"IsCurrent": value})


def _timespan(scene: Scene) -> Verdict:
    rows = scene.rows("exports")
    shown = (rows[0] if rows else scene.row("exports", SAMPLE))["IntervalBetweenRuns"]
    return Verdict("clock" if _CLOCK.fullmatch(str(shown)) else "another", {"IntervalBetweenRuns": shown})


def _missing_database(scene: Scene) -> Verdict:
    told = scene.told[0]
    if not told.refusal:
        return Verdict("answered")
    return Verdict("404" if told.code == "NotFound" else "400" if told.code.startswith("BadRequest") else told.code)


PROBES = (
    Probe(
        id="function-view-shown",
        fact="function-view-shown",
        question="Where can it be read back that a function is a view?",
        answers={
            "schema": "FunctionKind in the schema as JSON",
            "script": "in the schema as csl script",
            "both": "in either",
            "nowhere": "it cannot be compared",
        },
        kxrecon="does not compare it, and sends it as the spec has it",
        judge=_view_shown,
        looks=("script", "schema"),
    ),
    Probe(
        id="schema-types",
        fact="table-csl-types",
        question="Does the schema as JSON call every column type by its own name (CslType)?",
        answers={"by-name": "bool, datetime, decimal, dynamic and so on", "another": "some have another name"},
        kxrecon="counts on names that it knows, synonyms and those of .NET included",
        judge=_types,
        looks=("schema",),
        counts_on=("by-name",),
    ),
    Probe(
        id="policy-wildcards",
        fact="policy-wildcards",
        question="Which policies can be read for all tables by .show table * policy?",
        answers={"all": "every one that the grammar has"},
        kxrecon="asks for ingestiontime, restricted_view_access and row_level_security; without, they are unknown",
        judge=_wildcards,
        asks=lambda _: [f".show table * policy {name}" for name in WILDCARDS],
        when="any",
    ),
    Probe(
        id="journal-request-id",
        fact="journal-request-id",
        question="Does the journal keep the client request id of a change?",
        answers={
            "filled": "changes by kxrecon are told from those of others",
            "not-filled": "only the principal tells",
        },
        kxrecon="names the run where it can, else the principal",
        judge=_request_ids,
        looks=("journal",),
    ),
    Probe(
        id="journal-export-events",
        fact="journal-export-events",
        question="Does the journal list what is done to continuous exports?",
        answers={"listed": "it tells who disabled an export", "not-listed": "it does not tell who disabled an export"},
        kxrecon="tells who disabled an export where the journal does, else that it is not known",
        judge=_events,
        looks=("journal",),
        needs=("storage", "identity"),
    ),
    Probe(
        id="wire-bool",
        fact="wire-bool",
        question="How do management answers write a bool?",
        answers={"boolean": "true", "number": "1"},
        kxrecon="reads both",
        judge=_bool,
        looks=("databases",),
        when="any",
    ),
    Probe(
        id="wire-timespan",
        fact="wire-timespan",
        question="How do management answers write one hour?",
        answers={"clock": "[d.]hh:mm:ss", "another": "in another form"},
        kxrecon="counts on a clock, and reads every form that can be written",
        judge=_timespan,
        looks=("exports",),
        needs=("storage", "identity"),
        when="any",
        counts_on=("clock",),
    ),
    Probe(
        id="wire-missing-database",
        fact="wire-missing-database",
        question="Is a database that does not exist answered with 400 or 404?",
        answers={"400": "a refusal with its own code", "404": "as the emulator answers"},
        kxrecon=f"{EITHER}: the database is named as missing",
        judge=_missing_database,
        asks=lambda _: (Read("kusto", own("Missing"), f".show database {identifier(own('Missing'))} principals"),),
        when="any",
    ),
)
