"""Plans made by hand, to be rendered."""

from __future__ import annotations

from kxrecon.model import (
    HIDDEN,
    Action,
    Change,
    Entity,
    FieldChange,
    Finding,
    Hazard,
    Ref,
    Request,
    Secret,
    Unknown,
)
from kxrecon.plan import Plan

IDENTITY = Ref("cluster_identity", ("system",))
USAGE = Ref("managed_identity_policy", ("database", "Telemetry", "system", "AutomatedFlows"))
ROLE = Ref("role_assignment", ("/subscriptions/1/x", "ba92f5b4", "system"))
TABLE = Ref("external_table", ("Telemetry", "EventsArchive"))
EXPORT = Ref("continuous_export", ("Telemetry", "ArchiveEvents"))
TICKS_PER_MINUTE = 600_000_000


def create(
    ref: Ref, number: int, *, fields=None, after=(), requests=(), reasons=("needed by Telemetry/ArchiveEvents",)
):
    entity = Entity(ref, fields or {}, reasons=reasons)
    change = Change(ref, "create", None, entity)
    return Action(f"a{number}", (ref,), "apply", "create", requests, after, reasons=reasons, changes=(change,))


def update(ref: Ref, number: int, *parts: FieldChange, hazards=(), requests=()):
    entity = Entity(ref, {})
    change = Change(ref, "update", entity, entity, parts)
    return Action(f"a{number}", (ref,), "apply", "update", requests, hazards=hazards, changes=(change,))


def delete(ref: Ref, number: int):
    change = Change(ref, "delete", Entity(ref, {"x": 1}), None)
    return Action(f"a{number}", (ref,), "apply", "delete", (), changes=(change,))


def of(*actions: Action, findings: tuple[Finding, ...] = ()) -> Plan:
    return Plan(
        wire="sandbox:.kxrecon/sandbox.db",
        cluster_uri="https://telemetry.westeurope.kusto.windows.net",
        spec_name="quickstart",
        spec_files=("specs/quickstart.yaml",),
        spec_digest="d",
        created="2026-11-24T00:00:00+00:00",
        actions=actions,
        findings=findings,
    )


def chain() -> Plan:
    """One of everything: creates that wait for one another, an update with a hazard, findings."""
    principal = Unknown(IDENTITY, "principalId")
    connection = Request(
        "kusto",
        "Telemetry",
        ("alter external table T (h@'https://lake;", Secret("lakeKey"), "')"),
    )
    assign = Request("arm", "1", ("roleAssignments.create",), {"properties": {"principalId": principal}})
    return of(
        create(IDENTITY, 1, fields={"resourceId": ""}),
        create(ROLE, 2, after=("a1",), requests=(assign,)),
        create(TABLE, 3, fields={"columns": (("Level", "string"),), "connections": (HIDDEN,)}, requests=(connection,)),
        update(
            EXPORT,
            4,
            FieldChange("intervalBetweenRuns", 10 * TICKS_PER_MINUTE, 5 * TICKS_PER_MINUTE),
            FieldChange("query", "Events\n| take 1", "Events\n| take 2"),
            hazards=(Hazard("restarts-export", EXPORT, "it was disabled"),),
        ),
        findings=(
            Finding("handover", ROLE, "is left to its owner", "az role assignment create …"),
            Finding("holds", USAGE, "the cluster's policy says so already"),
        ),
    )
