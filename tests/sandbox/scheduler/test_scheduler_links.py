"""Every link of the chain, broken in every way that it can break; and what must not count as broken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .conftest import (
    ARCHIVE,
    CLIENT,
    CLUSTER,
    EXPORTER,
    GROUP,
    LAKE,
    PRINCIPAL,
    SCHEMA,
    SQL,
    SQL_TARGET,
    SUB,
    TARGET,
    TEAM,
    URI,
)

JOB = (URI, "Telemetry", "Job")
ACL = "user::rwx,user:{who}:{target},group::r-x,mask::rwx,other::---"
TRAVERSE = f"user::rwx,user:{PRINCIPAL}:--x,group::r-x,mask::r-x,other::---"
OTHER = "dddddddd-0000-4000-8000-000000000001"


def properties(town, **changed):
    town.change("continuous_export", *JOB, properties={**town.job()["properties"], **changed})


def query(town, text, **changed):
    town.change("continuous_export", *JOB, query=text, **changed)


def stop(town):
    town.change("cluster", URI, state="Stopped")


def lose_cluster(town):
    town.store.delete("cluster", URI)


def detach(town):
    cluster = town.store.get("cluster", URI)
    town.change("cluster", URI, identity={**cluster["identity"], "user": []})


def name_system_without_one(town):
    cluster = town.store.get("cluster", URI)
    town.change("cluster", URI, identity={**cluster["identity"], "system": None})
    properties(town, managedIdentity="system")


def name_a_stranger(town):
    properties(town, managedIdentity=OTHER)


def connect_as(identity):
    def move(town):
        town.external(f"{TARGET};impersonate")
        town.change(
            "external_table",
            URI,
            "Telemetry",
            "Archive",
            connections=[
                {
                    **town.store.get("external_table", URI, "Telemetry", "Archive")["connections"][0],
                    "auth": "managed_identity",
                    "identity": identity,
                }
            ],
        )

    return move


def no_policy(town):
    town.do(".delete database Telemetry policy managed_identity")


def other_usage(town):
    no_policy(town)
    town.allow("NativeIngestion, ExternalTable")


def policy_of_another(town):
    no_policy(town)
    town.allow(who="system")


def no_role(town):
    town.do(f".drop database Telemetry viewers ('aadapp={PRINCIPAL}')")


def only(role):
    def move(town):
        no_role(town)
        town.viewer(role=role)

    return move


def cluster_monitor(town):
    no_role(town)
    town.store.put(
        "cluster_principal",
        (URI, "one"),
        {"role": "AllDatabasesMonitor", "principalId": CLIENT, "aadObjectId": PRINCIPAL},
    )


def read_another_database(town):
    query(town, 'Events | join kind=inner (database("ref").Levels | project Level) on Level | project-away Level1')


def read_a_missing_database(town):
    query(town, 'Events | join (database("Gone").Levels) on Level')


def drop_external(town):
    town.store.delete("external_table", URI, "Telemetry", "Archive")


def external_columns(text):
    def move(town):
        town.do(
            f".create-or-alter external table Archive ({text}) kind=storage dataformat=csv (h@'{TARGET};impersonate')"
        )

    return move


def avro(town):
    town.external(form="avro")


def drop_table(town):
    town.store.delete("table", URI, "Telemetry", "Events")


def policy(name, text):
    def move(town):
        town.do(f".alter table Events policy {name} {text}")

    return move


def delete_ingestion_time(town):
    town.do(".delete table Events policy ingestiontime")


def foreign_fact(town):
    query(town, 'database("Ref").Levels', tables=[["Ref", "Levels"]])
    town.viewer("Ref")
    town.do(
        f".create-or-alter external table Archive (Level:string, Number:long) kind=storage dataformat=csv (h@'{TARGET};impersonate')"
    )


def no_identity(town):
    properties(town, managedIdentity=None)


def foreign_without_identity(town):
    town.external(f"{TARGET}?sig=x")
    read_another_database(town)
    no_identity(town)


def secured_rows_by_signature(town):
    town.external(f"{TARGET}?sig=x")
    town.do(".alter table Events policy row_level_security enable 'Events'")


def lose(kind, *key):
    return lambda town: town.store.delete(kind, *key)


def role_is(role, scope=ARCHIVE, **more):
    def move(town):
        town.unassign()
        town.assign(role, scope, **more)

    return move


def due_later(town):
    role_is("Storage Blob Data Contributor", effectiveAt=(town.clock.now() + timedelta(minutes=9)).isoformat())(town)


def account(**fields):
    return lambda town: town.change("account", "contosolake", **fields)


def signed(move):
    def both(town):
        town.external(f"{TARGET}?sig=x")
        move(town)

    return both


def anonymous(town):
    town.external(TARGET)


def callout(kind, pattern, can):
    def move(town):
        rule = f'[{{"CalloutType":"{kind}","CalloutUriRegex":"{pattern}","CanCall":{can}}}]'
        town.do(f".alter cluster policy callout ```{rule}```")

    return move


def outbound(*names):
    settings = {"restrictOutboundNetworkAccess": "Enabled", "allowedFqdnList": list(names)}
    return lambda town: town.change("cluster", URI, properties=settings)


BROKEN = [
    ("cluster", stop),
    ("cluster", lose_cluster),
    ("identity", detach),
    ("identity", name_system_without_one),
    ("identity", name_a_stranger),
    ("identity", connect_as(OTHER)),
    ("policy", no_policy),
    ("policy", other_usage),
    ("policy", policy_of_another),
    ("policy", connect_as(PRINCIPAL)),
    ("policy", connect_as("system")),
    ("role", no_role),
    ("role", only("monitors")),
    ("role", only("ingestors")),
    ("role", only("unrestrictedviewers")),
    ("role", cluster_monitor),
    ("role", read_another_database),
    ("role", read_a_missing_database),
    ("external-table", drop_external),
    ("external-table", avro),
    ("schema", external_columns("Timestamp:datetime, Level:string")),
    ("schema", external_columns("Timestamp:datetime, Message:string, Level:string")),
    ("schema", external_columns("Timestamp:string, Level:string, Message:string")),
    ("schema", external_columns("timestamp:datetime, Level:string, Message:string")),
    ("schema", lambda town: query(town, "Events | where Missing == 1")),
    ("schema", lambda town: query(town, "Evnts")),
    ("schema", lambda town: query(town, "Events |")),
    ("schema", lambda town: query(town, 'cluster("other").database("Telemetry").Events')),
    ("schema", drop_table),
    ("facts", policy("ingestiontime", "false")),
    ("facts", delete_ingestion_time),
    ("facts", policy("restricted_view_access", "true")),
    ("facts", foreign_fact),
    ("authentication", no_identity),
    ("authentication", foreign_without_identity),
    ("authentication", secured_rows_by_signature),
    ("target", lose("account", "contosolake")),
    ("target", lose("container", "contosolake", "archive")),
    ("grant", lambda town: town.unassign()),
    ("grant", role_is("Storage Blob Data Reader")),
    ("grant", role_is("Owner")),
    ("grant", role_is("Contributor", SUB)),
    ("grant", role_is("Storage Account Contributor", LAKE)),
    ("grant", role_is("Storage Blob Data Contributor", condition="@Resource[path] StringLike 'x*'")),
    ("grant", role_is("Storage Blob Data Contributor", ARCHIVE.replace("archive", "other"))),
    ("grant", role_is("Storage Blob Data Contributor", SUB.replace("1111", "2222", 1))),
    ("grant", role_is("Storage Blob Data Contributor", who=OTHER)),
    ("grant", due_later),
    ("grant", anonymous),
    ("grant", signed(account(allowSharedKeyAccess=False))),
    ("network", account(publicNetworkAccess="Disabled")),
    ("network", account(networkAcls={"defaultAction": "Deny", "bypass": "None"})),
    ("network", account(networkAcls={"defaultAction": "Deny", "bypass": "Logging, Metrics"})),
    ("network", signed(account(networkAcls={"defaultAction": "Deny", "bypass": "AzureServices"}))),
    ("callout", callout("external_data", "contosolake", "false")),
    ("callout", outbound("other.dfs.core.windows.net")),
]


@pytest.mark.parametrize(("link", "move"), BROKEN)
def test_a_broken_link_is_the_first_that_fails(town, link, move):
    town.healthy()
    assert town.broken() == ""
    move(town)
    assert town.broken() == link
    town.rows("a") if link != "schema" and move is not drop_table else None
    run = town.run()
    assert (run.succeeded, run.link, town.files()) == (False, link, [])
    if link != "cluster":
        assert town.store.all("failure")[0][1]["details"] == run.details != ""


def cluster_policy(town):
    no_policy(town)
    town.allow(level="cluster")


def all_usages(town):
    no_policy(town)
    town.allow("All")


def split_usages(town):
    town.allow("ExternalTable", level="cluster")
    connect_as(PRINCIPAL)(town)


def as_system(town):
    system = town.store.get("cluster", URI)["identity"]["system"]
    town.allow(who="system")
    town.viewer(who=f"aadapp={system}")
    town.assign(who=system)
    town.export(identity="system")
    town.unassign()
    town.assign(who=system)


def group_viewer(town):
    no_role(town)
    town.viewer(who=f"aadgroup={TEAM}")


def cluster_viewer(town):
    no_role(town)
    town.store.put(
        "cluster_principal",
        (URI, "one"),
        {"role": "AllDatabasesViewer", "principalId": CLIENT, "aadObjectId": PRINCIPAL},
    )


def arm_viewer(town):
    no_role(town)
    town.store.put(
        "database_principal",
        (URI, "Telemetry", "one"),
        {"role": "Viewer", "principalId": CLIENT, "aadObjectId": PRINCIPAL},
    )


def viewer_of_both(town):
    town.viewer("Ref")
    read_another_database(town)


def secured_rows(town):
    town.do(".alter table Events policy row_level_security enable 'Events'")


def due_now(town):
    due_later(town)
    town.later(minutes=10)


HEALTHY = [
    cluster_policy,
    all_usages,
    split_usages,
    as_system,
    only("users"),
    only("admins"),
    group_viewer,
    cluster_viewer,
    arm_viewer,
    viewer_of_both,
    secured_rows,
    role_is("Storage Blob Data Owner"),
    role_is("Storage Blob Data Contributor", LAKE),
    role_is("Storage Blob Data Contributor", GROUP.upper()),
    role_is("Storage Blob Data Contributor", SUB),
    role_is("Storage Blob Data Contributor", "/providers/Microsoft.Management/managementGroups/all"),
    role_is("Storage Blob Data Contributor", "/"),
    role_is("Storage Blob Data Contributor", who=TEAM),
    due_now,
    signed(lambda town: town.unassign()),
    signed(no_identity),
    account(networkAcls={"defaultAction": "Deny", "bypass": "Metrics, AzureServices"}),
    account(
        networkAcls={
            "defaultAction": "Deny",
            "bypass": "None",
            "resourceAccessRules": [{"resourceId": CLUSTER.upper()}],
        }
    ),
    callout("external_data", "elsewhere", "false"),
    callout("sql", ".*", "false"),
    outbound("*.dfs.core.windows.net"),
    outbound("contosolake.dfs.core.windows.net"),
]


@pytest.mark.parametrize("move", HEALTHY)
def test_every_way_to_satisfy_a_link_counts(town, move):
    town.healthy()
    move(town)
    assert town.broken() == ""
    assert town.run().succeeded


def test_what_lies_behind_a_missing_table_is_unreached_not_broken(town):
    town.healthy()
    drop_external(town)
    verdicts = {verdict.link: verdict.holds for verdict in town.why()}
    assert verdicts["external-table"] is False
    assert [verdicts[link] for link in ("schema", "target", "grant", "network", "callout")] == [None] * 5


def test_the_job_is_the_last_link(town):
    assert [(one.link, one.holds) for one in town.why()] == [("job", False)]
    town.healthy().do(".disable continuous-export Job")
    assert (town.why()[-1].link, town.why()[-1].holds, town.broken()) == ("job", False, "job")


def test_impersonation_without_identity_fails_in_the_documented_words(town):
    town.healthy()
    no_identity(town)
    assert town.run().details.startswith("Error: continuous export to external tables with impersonation requires")


# ---- ACLs


def acls(town, **entries: str) -> None:
    """Directories and their ACLs; ``root`` is /, ``events`` is /events, ``deep`` is /events/deep."""
    places = {"root": "/", "events": "/events", "deep": "/events/deep"}
    town.healthy().unassign()
    for name, acl in entries.items():
        town.store.put(
            "path", ("contosolake", "archive", places[name]), {"owner": "$superuser", "group": "$superuser", "acl": acl}
        )


def to_target(bits: str, who: str = PRINCIPAL, mask: str = "rwx") -> str:
    return f"user::rwx,user:{who}:{bits},group::r-x,mask::{mask},other::---"


@pytest.mark.parametrize(
    ("entries", "deep"),
    [
        ({"root": TRAVERSE, "events": to_target("-wx")}, False),
        ({"root": TRAVERSE, "events": to_target("rwx")}, False),
        ({"root": TRAVERSE, "events": TRAVERSE, "deep": to_target("-wx")}, True),
        ({"root": TRAVERSE, "events": to_target("-wx")}, True),
        ({"root": to_target("-wx")}, False),
        ({"root": TRAVERSE, "events": f"user::rwx,group::r-x,group:{TEAM}:rwx,mask::rwx,other::---"}, False),
        ({"root": "user::rwx,group::r-x,other::--x", "events": "user::rwx,group::r-x,other::-wx"}, False),
    ],
)
def test_acls_that_let_the_identity_write(town, entries, deep):
    acls(town, **entries)
    town.external(f"{TARGET}/deep;impersonate" if deep else f"{TARGET};impersonate")
    assert town.broken() == ""
    assert town.run().succeeded


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({}, "the ACL of '/' gives no -wx"),
        ({"root": "user::rwx,group::r-x,other::---", "events": to_target("-wx")}, "the ACL of '/' gives no --x"),
        ({"root": TRAVERSE, "events": to_target("--x")}, "the ACL of '/events' gives no -wx"),
        ({"root": TRAVERSE, "events": to_target("r-x")}, "the ACL of '/events' gives no -wx"),
        ({"root": TRAVERSE, "events": to_target("-w-")}, "the ACL of '/events' gives no -wx"),
        ({"root": TRAVERSE, "events": to_target("-wx", mask="r-x")}, "the ACL of '/events' gives no -wx"),
        ({"root": to_target("--x", mask="r--"), "events": to_target("-wx")}, "the ACL of '/' gives no --x"),
        ({"root": TRAVERSE, "events": to_target("-wx", who=OTHER)}, "the ACL of '/events' gives no -wx"),
        ({"root": TRAVERSE, "events": f"{TRAVERSE},default:user:{PRINCIPAL}:rwx"}, "the ACL of '/events' gives no -wx"),
        (
            {"root": TRAVERSE, "events": f"user::rwx,user:{PRINCIPAL}:r-x,group:{TEAM}:rwx,mask::rwx,other::rwx"},
            "the ACL of '/events' gives no -wx",
        ),
    ],
)
def test_acls_that_do_not(town, entries, says):
    acls(town, **entries)
    run = town.run()
    assert (run.succeeded, run.link) == (False, "grant")
    assert says in run.details


def test_acls_of_an_account_without_a_hierarchical_namespace_mean_nothing(town):
    acls(town, root=TRAVERSE, events=to_target("rwx"))
    account(hns=False)(town)
    assert town.broken() == "grant"


# ---- SQL


@pytest.fixture
def sql(town):
    town.healthy().unassign()
    town.store.delete("external_table", URI, "Telemetry", "Archive")
    target(town)
    town.give_sql("INSERT", "UPDATE")
    return town


def target(town, table="dbo.Events", more="", connection=SQL_TARGET):
    town.do(f".create-or-alter external table Archive {SCHEMA} kind=sql table=['{table}'] (h@'{connection};') {more}")


def permit(level, what, permission, state="G", who="exporter"):
    return lambda town: town.store.put("sql_permission", (SQL, "dwh", who, level, what, permission), {"state": state})


def member(*roles):
    def move(town):
        town.change("sql_principal", SQL, "dwh", "exporter", roles=list(roles))

    return move


def bare(town):
    for permission in ("INSERT", "UPDATE"):
        town.store.delete("sql_permission", SQL, "dwh", "exporter", "OBJECT", "dbo.events", permission)


def after(*moves):
    def move(town):
        for one in moves:
            one(town)

    return move


NEW = "with (createIfNotExists=true, primaryKey='Message')"
CREATE = after(
    bare,
    lambda town: target(town, "dbo.Fresh", NEW),
    permit("DATABASE", "", "CREATE TABLE"),
    permit("SCHEMA", "dbo", "INSERT"),
    permit("SCHEMA", "dbo", "UPDATE"),
)


@pytest.mark.parametrize(
    ("link", "move"),
    [
        ("target", lambda town: town.store.delete("sql_database", SQL, "dwh")),
        ("target", lambda town: target(town, "dbo.Gone")),
        ("grant", lambda town: town.store.delete("sql_principal", SQL, "dwh", "exporter")),
        ("grant", lambda town: town.give_sql(client=OTHER)),
        ("grant", lambda town: town.give_sql(client=PRINCIPAL)),  # the object id is no SID of an application
        ("grant", lambda town: town.store.delete("sql_permission", SQL, "dwh", "exporter", "DATABASE", "", "CONNECT")),
        ("grant", bare),
        (
            "grant",
            lambda town: town.store.delete("sql_permission", SQL, "dwh", "exporter", "OBJECT", "dbo.events", "UPDATE"),
        ),
        (
            "grant",
            lambda town: town.store.delete("sql_permission", SQL, "dwh", "exporter", "OBJECT", "dbo.events", "INSERT"),
        ),
        ("grant", permit("OBJECT", "dbo.events", "UPDATE", "D")),
        ("grant", permit("SCHEMA", "dbo", "INSERT", "D")),
        ("grant", after(member("db_owner"), permit("DATABASE", "", "INSERT", "D"))),
        ("grant", member("db_denydatawriter")),
        ("grant", after(bare, member("db_datareader"))),
        ("grant", after(bare, permit("OBJECT", "dbo.other", "INSERT"), permit("OBJECT", "dbo.other", "UPDATE"))),
        ("grant", CREATE),
        ("grant", after(CREATE, lambda town: target(town, "stage.Fresh", NEW), member("db_owner"))),
        ("grant", after(CREATE, permit("SCHEMA", "dbo", "ALTER"), permit("DATABASE", "", "CREATE TABLE", "D"))),
        ("callout", callout("sql", "contoso", "false")),
        ("callout", outbound("elsewhere.database.windows.net")),
        ("authentication", no_identity),
        (
            "policy",
            lambda town: target(
                town, connection=SQL_TARGET.replace("Integrated", f"Managed Identity;User Id={PRINCIPAL}")
            ),
        ),
    ],
)
def test_sql_links_broken(sql, link, move):
    assert sql.broken() == ""
    move(sql)
    assert (sql.broken(), sql.run().link) == (link, link)


@pytest.mark.parametrize(
    "move",
    [
        after(bare, member("db_datawriter")),
        after(bare, member("db_owner")),
        after(bare, permit("SCHEMA", "dbo", "INSERT"), permit("DATABASE", "", "UPDATE", "W")),
        after(bare, permit("OBJECT", "dbo.events", "CONTROL")),
        after(bare, permit("DATABASE", "", "INSERT", who="public"), permit("DATABASE", "", "UPDATE", who="public")),
        lambda town: town.give_sql("INSERT", "UPDATE", client=TEAM, kind="X"),
        after(CREATE, permit("SCHEMA", "dbo", "ALTER")),
        after(CREATE, member("db_ddladmin", "db_datawriter")),
        lambda town: target(town, "Events"),
        lambda town: target(town, "DBO.events"),
        lambda town: target(
            town, connection="Server=contoso.database.windows.net;Database=Dwh;User Id=app;Password=secret"
        ),
    ],
)
def test_sql_links_that_hold(sql, move):
    move(sql)
    assert sql.broken() == ""
    assert sql.run().succeeded


def test_a_role_of_ones_own_making_carries_permissions(sql):
    bare(sql)
    sql.store.put(
        "sql_principal",
        (SQL, "dwh", "writers"),
        {"name": "Writers", "type": "R", "sid": "", "roles": ["db_datawriter"], "id": 6},
    )
    member("Writers")(sql)
    assert sql.broken() == ""


def test_sql_servers_outside_azure_need_a_callout_rule(sql):
    sql.store.put("sql_database", ("sql.corp.example", "dwh"), sql.store.get("sql_database", SQL, "dwh"))
    for kind in ("sql_principal", "sql_permission"):
        for key, document in sql.store.all(kind, SQL):
            sql.store.put(kind, ("sql.corp.example", *key[1:]), document)
    target(sql, connection=SQL_TARGET.replace(SQL, "sql.corp.example"))
    assert sql.broken() == "callout"
    callout("sql", "sql.corp.example", "true")(sql)
    assert sql.broken() == ""


def test_an_identity_that_was_made_anew_has_none_of_the_old_grants(town):
    town.healthy()
    town.change("identity", EXPORTER.lower(), principalId=OTHER)
    properties(town, managedIdentity=OTHER)
    assert town.broken() == "policy"
