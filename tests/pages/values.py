"""What pages are made of in these tests: plans, chains and histories of any size, made by hand and repeatable."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kxrecon.hazards import refused
from kxrecon.health import Capacity, Health, Status
from kxrecon.history import Failed, Files, History
from kxrecon.model import Action, CursorEffect, FieldChange, Finding, Hazard, Ref, Request
from kxrecon.report.fleet import Row, Told
from kxrecon.report.html.page import Heading
from kxrecon.verdicts import Chain, Edge, Fix, Link, Node, Picture
from tests.report import plans

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
NASTY = "<img src=x onerror=alert(1)>\u202e\"'`</script></style>{{7*7}}"
LINKS = (
    ("cluster", "the cluster runs"),
    ("identity", "assigned: exporter"),
    ("policy", "the policy of Telemetry allows AutomatedFlows to 'exporter'"),
    ("role", "exporter is among the viewers of Telemetry"),
    ("external-table", "external table exists"),
    ("schema", "the query gives (Timestamp:datetime, Level:string, Message:string)"),
    ("facts", "fact tables with ingestion times: Events"),
    ("authentication", "the external table gets in by impersonate"),
    ("target", "container 'archive' of contosolake exists"),
    ("grant", "exporter has Storage Blob Data Contributor at the container"),
    ("network", "contosolake is open to all networks"),
    ("callout", "the cluster may call contosolake.blob.core.windows.net"),
    ("job", "the export is enabled, as the spec has it"),
    ("run", "the last run, at 2026-11-24T09:25:00Z, succeeded"),
)
POLICY = Fix(
    "kusto",
    '.alter-merge database [\'Telemetry\'] policy managed_identity ```[{"ObjectId":"63c8bb62","AllowedUsages":"AutomatedFlows"}]```',
    "Telemetry",
)
APPLY = Fix("shell", "kxrecon apply specs/prod.yaml")
BROKEN = {
    "policy": (
        "neither the cluster's policy nor that of 'Telemetry' allows AutomatedFlows to 'exporter'",
        (POLICY, APPLY),
    ),
    "grant": (
        "exporter has no role on the container 'archive' that writes",
        (
            Fix(
                "shell",
                "az role assignment create --assignee-object-id 63c8bb62 --role ba92f5b4 --scope /subscriptions/1",
            ),
        ),
    ),
    "target": (
        "there is no container 'archive'",
        (Fix("person", "create the container, or name another in the spec"),),
    ),
}
UNKNOWN = "could not be read (denied: the caller may not list role assignments)"
EDGES = (("facts",), ("external-table", "schema", "job"), ("authentication", "target", "network", "callout"))


def heading(verb, **fields):
    return Heading(
        verb, cluster=CLUSTER, wire="azure", spec=("specs/prod.yaml",), time="24 Nov 2026, 09:30 UTC", **fields
    )


# ---- verify
def proof(name, broken=(), unknown=(), tables=1, databases=1):
    """A chain and its picture."""
    links = []
    for link, evidence in LINKS:
        if link in broken:
            links.append(Link(link, "broken", *BROKEN[link]))
        else:
            links.append(Link(link, "unknown", UNKNOWN) if link in unknown else Link(link, "holds", evidence))
    return Chain(f"Telemetry/{name}", tuple(links)), picture(
        name, {one.name: one.verdict for one in links}, tables, databases
    )


def picture(name, said, tables, databases):
    def of(*names):
        verdicts = {said[one] for one in names}
        return "broken" if "broken" in verdicts else "unknown" if "unknown" in verdicts else "holds"

    export, table, identity = f"export {name}", f"external-table X{name}", "identity exporter"
    target = "target https://contosolake.dfs.core.windows.net/archive/telemetry/events/by-region"
    nodes = [
        Node(f"table T{number}", "table", "Events" if number == 0 else f"Orders{number}") for number in range(tables)
    ]
    edges = [Edge(one.id, export, "read by", of("facts")) for one in nodes]
    nodes += [Node(export, "export", name), Node(table, "external-table", f"X{name}")]
    nodes += [Node(target, "target", target.partition(" ")[2]), Node(identity, "identity", "exporter")]
    edges += [
        Edge(export, table, "writes to", of("external-table", "schema", "job")),
        Edge(table, target, "lies in", of("authentication", "target", "network", "callout")),
        Edge(export, identity, "runs as", of("cluster", "identity", "policy")),
    ]
    for number in range(databases):
        nodes.append(Node(f"database D{number}", "database", "Telemetry" if number == 0 else f"Reference{number}"))
        edges.append(Edge(identity, f"database D{number}", "may read", of("role")))
    edges.append(Edge(identity, target, "may write", of("grant")))
    return Picture(tuple(nodes), tuple(edges))


def proofs():
    """One of everything."""
    return [
        proof("OrdersToLake", broken=["policy"], unknown=["run"]),
        proof("EventsToDwh", broken=["policy"], unknown=["run"]),
        proof("ClicksToFolder", broken=["policy"], unknown=["run"], tables=6, databases=3),
        proof("AuditTrail", broken=["grant", "target"], unknown=["network"]),
        proof("Sessions", unknown=["grant", "network"]),
        *(proof(f"Feed{number}") for number in range(4)),
    ]


# ---- status
def history(days=3, every=10, down=(), quiet=(), files=2, failing=()):
    """Runs each ``every`` minutes, but not in the spans of hours ``down`` (they fail) and ``quiet`` (nothing new)."""
    since, runs, failures = NOW - timedelta(days=days), [], []
    for number in range(days * 24 * 60 // every):
        when, hour = since + timedelta(minutes=number * every), number * every / 60
        if any(start <= hour < end for start, end in down):
            start = next(start for start, end in down if start <= hour < end)
            failures.append(
                Failed(
                    when,
                    "Failure",
                    failing or "Access denied to the container",
                    since + timedelta(hours=start, minutes=-every),
                )
            )
        elif not any(start <= hour < end for start, end in quiet):
            count = max(1, round(files * (1.5 + math.sin(hour / 4) + 0.4 * math.sin(number))))
            runs.append(Files(when, count, count * 311))
    return History(since, NOW, tuple(runs), tuple(failures))


def health(name, state="ok", past=None, **fields):
    past = past or history()
    last = max((one.when for one in (*past.runs, *past.failures)), default=None)
    failed = bool(past.failures) and last == past.failures[-1].when
    counted = {"files": sum(one.files for one in past.runs), "records": sum(one.records for one in past.runs)}
    given = {
        "enabled": True,
        "interval": 600.0,
        "last_run": last,
        "result": "Failed" if failed else "Completed",
        **counted,
    }
    exported = past.runs[-1].when if past.runs else None
    return Health(f"Telemetry/{name}", state, history=past, exported_to=exported, **{**given, **fields})


def status(exports=None, **fields):
    """One of everything."""
    message = "Managed identity '63c8bb62-33aa-447d-a8e9-b8d4875e7295' is not allowed for usage 'AutomatedFlows'."
    found = exports or (
        health(
            "OrdersToLake",
            "failing",
            history(down=[(20, 26), (66, 72)], failing=message),
            failures={"Failure": 72},
            message=message,
        ),
        health(
            "EventsToDwh",
            "late",
            history(every=30, down=[(50, 51)], quiet=[(68, 72)]),
            interval=1800.0,
            lateness=12_600.0,
        ),
        health(
            "AuditTrail",
            "disabled",
            history(down=[(30, 40)], quiet=[(40, 72)]),
            enabled=False,
            failures={"Failure": 60},
            message="Access denied",
        ),
        Health("Telemetry/Gone", "missing"),
        Health("Telemetry/Hidden", "unknown", message="could not be read (denied: Forbidden)"),
        health("Quiet", "ok", history(quiet=[(5, 11), (29, 35), (53, 59)], files=1)),
        health("Hourly", "running", history(every=60, files=5), interval=3600.0),
        health("Paused", "disabled-by-spec", history(quiet=[(24, 72)]), enabled=False),
        replace(
            health("Denied"),
            history=None,
            files=None,
            records=None,
            untold="could not be read (denied: a monitor's role is missing)",
        ),
        *(health(f"Feed{number}", "ok", history(files=number + 1)) for number in range(4)),
    )
    return Status(CLUSTER, NOW, tuple(found), Capacity(24, 3), **{"days": 3, **fields})


# ---- plan
def plan():
    """Creations, updates with differences, hazards allowed and not, a deletion, findings of several kinds."""
    made = plans.chain()
    table = Ref("external_table", ("Telemetry", "ErrorsArchive"))
    columns = (("Timestamp", "datetime"), ("Level", "string"), ("Message", "string"))
    changed = plans.update(
        table, 5,
        FieldChange("columns", columns, (*columns[:2], ("Code", "long"), columns[2])),
        FieldChange("connections[0]['uri']", "https://contosolake.blob.core.windows.net/archive/errors", "https://contosolake.blob.core.windows.net/archive2/errors"),
        hazards=(Hazard("repoints-export", table, "exports that write to it go on elsewhere"),),
        requests=(Request("kusto", "Telemetry", (".alter external table ErrorsArchive (…)\nkind=storage",)),),
    )  # fmt: skip
    gone = plans.delete(Ref("database_role", ("Telemetry", "viewers", "aadgroup=6f0e9c1e")), 6)
    export = plans.create(
        Ref("continuous_export", ("Telemetry", "ErrorsToLake")), 7,
        fields={"over": ("Events",), "to": "ErrorsArchive", "query": "Events\n| where Level == 'Error'\n| project Timestamp, Level, Message"},
        after=("a1", "a3"),
    )  # fmt: skip
    export = replace(
        export, wave=2, cursor=CursorEffect("gap", "starts from now: records ingested before are not exported")
    )
    waved = [replace(action, wave=min(number, 1)) for number, action in enumerate((*made.actions, changed, gone))]
    more = (
        Finding("note", None, "KX207 the query has no time filter", "none is needed"),
        Finding("left-behind", gone.refs[0], "is no longer needed"),
    )
    return replace(made, actions=(*waved, export), findings=(*made.findings, *more), unchanged=128)


def row(made=None, **fields):
    made = made or plan()
    given = {"name": "", "cluster": CLUSTER, "wave": 0, "code": 0, "refused": tuple(refused(made, (), NOW.date()))}
    return Row(plan=made, **{**given, **fields})


def many(actions: int) -> Row:
    """A plan of so many tables, external tables and exports."""
    columns = tuple((f"c{number}", "string") for number in range(12))
    made: list[Action] = []
    for number in range(actions):
        kind = ("table", "external_table", "continuous_export")[number % 3]
        ref = Ref(kind, (f"Db{number % 7}", f"Feed{number}"))
        text = f".create-merge table Feed{number} ({', '.join(f'{name}:string' for name, _ in columns)})"
        fields = {"columns": columns, "folder": "feeds", "docString": f"Events of feed {number}"}
        made.append(
            replace(
                plans.create(ref, number, fields=fields, requests=(Request("kusto", ref.name[0], (text,)),)),
                wave=number % 3,
            )
        )
    return row(plans.of(*made))


def fleet():
    """Two plans that share most, and a spec that has none."""
    other = replace(plan(), actions=plan().actions[:5])
    return [
        row(name="prod-east", cluster="https://east.kusto.windows.net"),
        row(other, name="prod-west", cluster="https://west.kusto.windows.net", wave=1),
        Row(
            "prod-north",
            "https://north.kusto.windows.net",
            1,
            1,
            error="specs/north.yaml:12:5: unknown field 'colour'\n  did you mean 'columns'?",
        ),
    ]


def alone(answer):
    return [Told("", CLUSTER, answer)]


def several(*answers, error="the cluster could not be reached: connection refused"):
    found = [
        Told(f"prod-{place}", f"https://{place}.kusto.windows.net", one)
        for place, one in zip(("east", "west"), answers, strict=False)
    ]
    return [*found, Told("prod-north", "https://north.kusto.windows.net", error=error)]
