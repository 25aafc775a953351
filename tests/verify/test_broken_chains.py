"""Each link of the chains of seed.yaml, broken in each way that it can break: named first, with a fix that works."""

from __future__ import annotations

import pytest

from kxrecon.sandbox.arm.builtin import BY_NAME
from kxrecon.sandbox.arm.ids import normal
from kxrecon.verify import chains

from .conftest import DATABASE, URI

STRANGER = "dddddddd-0000-4000-8000-000000000001"
BLOB, LAKE, FOLDER, DWH, REGIONS = "EventsToBlob", "EventsToLake", "EventsToFolder", "EventsToDwh", "EventsByRegion"
SQL = "contoso.database.windows.net"


# ---- moves
def stop(estate):
    estate.change("cluster", URI, state="Stopped")


def detach(estate):
    block = estate.store.get("cluster", URI)["identity"]
    estate.change("cluster", URI, identity={**block, "user": []})


def without_system(estate):
    block = estate.store.get("cluster", URI)["identity"]
    estate.change("cluster", URI, identity={**block, "system": None})


def run_as(name, identity):
    return lambda estate: estate.properties(name, managedIdentity=identity)


def do(command, database=DATABASE):
    return lambda estate: estate.do(command, database)


def usages(level, symbol, text):
    def move(estate):
        who = estate.principal(symbol)
        estate.do(f'.alter {level} policy managed_identity ```[{{"ObjectId":"{who}","AllowedUsages":"{text}"}}]```')

    return move


def no_policy_for_system(estate):
    estate.do(".delete database Telemetry policy managed_identity")
    usages("cluster", "exporter", "AutomatedFlows")(estate)


def drop_role(database, symbol):
    return lambda estate: estate.do(
        f".drop database {database} viewers ('aadapp={estate.principal(symbol)}')", database
    )


def only_role(role, symbol):
    def move(estate):
        drop_role(DATABASE, symbol)(estate)
        estate.do(f".add database {DATABASE} {role} ('aadapp={estate.principal(symbol)}')")

    return move


def monitor_of_cluster(estate):
    drop_role(DATABASE, "exporter")(estate)
    who = estate.principal("exporter")
    document = {"role": "AllDatabasesMonitor", "principalId": who, "aadObjectId": who, "principalType": "App"}
    estate.store.put("cluster_principal", (URI, "one"), {"name": "one", **document})


def lose(kind, *key):
    return lambda estate: estate.lose(kind, *key)


def columns(table, *names):
    def move(estate):
        document = estate.store.get("external_table", URI, DATABASE, table)
        kept = [column for name in names for column in document["columns"] if column[0] == name]
        estate.change("external_table", URI, DATABASE, table, columns=kept)

    return move


def retyped(estate):
    document = estate.store.get("external_table", URI, DATABASE, "EventsLake")
    estate.change(
        "external_table", URI, DATABASE, "EventsLake", columns=[[n, "string"] for n, _ in document["columns"]]
    )


def query(name, text):
    return lambda estate: estate.export(name, query=text)


def no_role_at_storage(estate):
    estate.lose("role_assignment")


def roles_are(role, **more):
    def move(estate):
        for key, document in estate.store.all("role_assignment"):
            definition = str(document["roleDefinitionId"]).rpartition("/")[0] + "/" + BY_NAME[role.lower()].guid
            estate.store.put("role_assignment", key, {**document, "roleDefinitionId": definition.lstrip("/"), **more})

    return move


def roles_at_another_container(estate):
    for (scope, name), document in estate.store.all("role_assignment"):
        estate.store.delete("role_assignment", scope, name)
        elsewhere = scope.rpartition("/")[0] + "/other"
        estate.store.put("role_assignment", (normal(elsewhere), name), {**document, "scope": elsewhere})


def list_of(path, text):
    def move(estate):
        who = estate.principal("exporter")
        estate.change("path", "contosolake", "shared", path, acl=text.format(who=who))

    return move


def account(name, **fields):
    return lambda estate: estate.change("account", name, **fields)


def callout(kind, pattern, can="false"):
    rule = f'[{{"CalloutType":"{kind}","CalloutUriRegex":"{pattern}","CanCall":{can}}}]'
    return lambda estate: estate.do(f".alter cluster policy callout ```{rule}```")


def outbound(*names):
    settings = {"restrictOutboundNetworkAccess": "Enabled", "allowedFqdnList": list(names)}
    return lambda estate: estate.change("cluster", URI, properties=settings)


def sql(statement):
    return lambda estate: estate.ends.sql(SQL, "Dwh").cursor().execute(statement)


def anonymous(estate):
    job = estate.store.get("continuous_export", URI, DATABASE, BLOB)
    kept = {name: value for name, value in job["properties"].items() if name != "managedIdentity"}
    estate.export(BLOB, properties=kept)


# (link, export, what happens, whether a command mends it: else only people can)
CASES = [
    ("cluster", BLOB, stop, True),
    ("cluster", BLOB, lose("cluster", URI), False),
    ("identity", DWH, detach, True),
    ("identity", FOLDER, detach, True),
    ("identity", BLOB, without_system, True),
    ("identity", FOLDER, run_as(FOLDER, STRANGER), True),
    ("policy", FOLDER, do(".delete database Telemetry policy managed_identity"), True),
    ("policy", DWH, usages("database Telemetry", "exporter", "NativeIngestion, ExternalTable"), True),
    ("policy", DWH, usages("database Telemetry", "system", "AutomatedFlows"), True),
    ("policy", LAKE, no_policy_for_system, True),
    ("role", BLOB, drop_role(DATABASE, "system"), True),
    ("role", DWH, drop_role(DATABASE, "exporter"), True),
    ("role", REGIONS, drop_role("Reference", "exporter"), True),
    ("role", FOLDER, only_role("monitors", "exporter"), True),
    ("role", FOLDER, only_role("ingestors", "exporter"), True),
    ("role", FOLDER, only_role("unrestrictedviewers", "exporter"), True),
    ("role", FOLDER, monitor_of_cluster, True),
    ("role", BLOB, query(BLOB, 'Events | join (database("Gone").Levels) on Level'), True),
    ("external-table", BLOB, lose("external_table", URI, DATABASE, "EventsBlob"), True),
    ("external-table", DWH, lose("external_table", URI, DATABASE, "EventsDwh"), True),
    (
        "external-table",
        LAKE,
        lambda e: e.change("external_table", URI, DATABASE, "EventsLake", dataFormat="avro"),
        True,
    ),
    ("schema", LAKE, columns("EventsLake", "Timestamp", "Level"), True),
    ("schema", LAKE, columns("EventsLake", "Timestamp", "RegionId", "Message", "Level"), True),
    ("schema", LAKE, retyped, True),
    ("schema", REGIONS, columns("EventsRegions", "Timestamp", "Message", "Region"), True),
    ("schema", BLOB, query(BLOB, "Events | project Timestamp, Level"), True),
    ("facts", BLOB, do(".alter table Events policy ingestiontime false"), True),
    ("facts", BLOB, do(".delete table Events policy ingestiontime"), True),
    ("facts", BLOB, do(".alter table Events policy restricted_view_access true"), True),
    ("authentication", BLOB, anonymous, True),
    ("target", LAKE, lose("container", "contosolake", "archive"), True),
    ("grant", BLOB, no_role_at_storage, True),
    ("grant", LAKE, no_role_at_storage, True),
    ("grant", REGIONS, no_role_at_storage, True),
    ("grant", BLOB, roles_are("Storage Blob Data Reader"), True),
    ("grant", BLOB, roles_are("Owner"), True),
    ("grant", LAKE, roles_are("Contributor"), True),
    ("grant", LAKE, roles_are("Storage Account Contributor"), True),
    ("grant", BLOB, roles_at_another_container, True),
    ("grant", FOLDER, list_of("/", "user::rwx,group::r-x,other::---"), True),
    ("grant", FOLDER, list_of("/teams", "user::rwx,user:{who}:r--,group::r-x,mask::r-x,other::---"), True),
    ("grant", FOLDER, list_of("/teams/telemetry", "user::rwx,user:{who}:r-x,group::r-x,mask::rwx,other::---"), True),
    ("grant", DWH, lose("sql_principal", SQL, "dwh"), True),
    ("grant", DWH, sql("REVOKE INSERT ON OBJECT::dbo.Events FROM [exporter]"), True),
    ("grant", DWH, sql("REVOKE UPDATE ON OBJECT::dbo.Events FROM [exporter]"), True),
    ("grant", DWH, sql("DENY INSERT ON OBJECT::dbo.Events TO [exporter]"), True),
    ("network", BLOB, account("contosoexport", publicNetworkAccess="Disabled"), True),
    ("network", BLOB, account("contosoexport", networkAcls={"defaultAction": "Deny", "bypass": "None"}), True),
    (
        "network",
        LAKE,
        account("contosolake", networkAcls={"defaultAction": "Deny", "bypass": "Logging, Metrics"}),
        True,
    ),
    ("callout", BLOB, callout("external_data", "contosoexport"), True),
    ("callout", DWH, callout("sql", "contoso"), True),
    ("callout", LAKE, outbound("elsewhere.dfs.core.windows.net"), True),
    ("callout", DWH, outbound("*.core.windows.net"), True),
    ("job", BLOB, do(".disable continuous-export EventsToBlob"), True),
    ("job", BLOB, lose("continuous_export", URI, DATABASE, BLOB), True),
    ("job", DWH, lambda e: e.properties(DWH, intervalBetweenRuns=36_000_000_000 * 9), True),
]


def name(case):
    link, export, move, _ = case
    return f"{link}-{export}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_broken_link_is_named_first_and_its_fix_works(estate, case):
    link, export, move, by_command = case
    move(estate)
    found = estate.chain(export)
    assert found.first_broken is not None, [one for one in found.links if one.verdict != "holds"]
    assert found.ordered[0].name == link, found.ordered[0]
    if link != "job":
        assert estate.oracle(export) == link  # the sandbox's own scheduler stops there too
    fixes = [fix for fix in found.ordered[0].fixes if fix.where != "person"]
    assert bool(fixes) == by_command
    if by_command:
        mended(estate, export)


def mended(estate, export):
    """Apply what is printed, look again, until nothing is broken: then the export runs."""
    for _ in range(5):
        broken = estate.chain(export).first_broken
        if broken is None:
            break
        commands = [fix for fix in broken.fixes if fix.where != "person"]
        whole = [fix for fix in commands if fix.text.startswith("kxrecon ")]
        for fix in [fix for fix in commands if fix not in whole] or whole[:1]:
            estate.mend(fix)
    run = estate.tick(export)
    assert run is not None and run.succeeded, run


def test_no_link_of_the_healthy_estate_is_called_broken(estate):
    found = chains(estate.survey())
    assert {chain.export.partition("/")[2] for chain in found} == {BLOB, LAKE, FOLDER, DWH, REGIONS}
    assert [chain.export for chain in found if chain.first_broken] == []
    assert not any(estate.oracle(one) for one in (BLOB, LAKE, FOLDER, DWH, REGIONS))


@pytest.mark.parametrize(
    ("without", "text", "told"),
    [
        (True, None, "install kxrecon[kql]"),
        (False, 'Events | join (database("Reference").Regions) on RegionId | project Timestamp, Nope', "'Nope'"),
        (False, 'Events | join (Elsewhere) on RegionId | project Timestamp, Region, Message', "'Elsewhere'"),
    ],
)  # fmt: skip
def test_columns_that_nobody_can_tell_are_unknown_and_say_why(estate, monkeypatch, without, text, told):
    if without:
        monkeypatch.setattr("kxrecon.verify.known.available", lambda: "it is not here")
    if text:
        query(REGIONS, text)(estate)
    [link] = [one for one in estate.chain(REGIONS).links if one.name == "schema"]
    assert link.verdict == "unknown" and told in link.evidence


def test_a_table_of_another_database_is_not_the_local_one_of_its_name(estate):
    estate.do(".create table Events (Timestamp:datetime, Level:string)", "Reference")
    estate.export("EventsToBlob", query='database("Reference").Events')
    link = next(one for one in estate.chain("EventsToBlob").links if one.name == "facts")
    assert link.verdict == "unknown", link
    assert link.evidence.startswith("the query reads 'Events' of Reference and none of its fact tables (Events)")
    estate.export("EventsToBlob", query="database('telemetry').['Events']")
    assert next(one for one in estate.chain("EventsToBlob").links if one.name == "facts").verdict == "holds"
