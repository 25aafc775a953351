"""Each link of the chain removed by hand: drift exits 2 and names it, apply restores it, exports run again."""

from __future__ import annotations

import pytest

EXPORTER = "'exporter (app"


def cut(desk, kind, **fields):
    with desk.store() as store:
        for key, document in store.all(kind):
            store.put(kind, key, {**document, **fields})


def detach(system):
    def act(desk):
        with desk.store() as store:
            ((key, cluster),) = store.all("cluster")
            identity = cluster["identity"]
            left = {"system": None, "user": identity["user"]} if system else {"system": identity["system"], "user": []}
            store.put("cluster", key, {**cluster, "identity": left})

    return act


def entries(path, keep=("user::", "group::", "other::")):
    """Take all named entries from a directory's list."""

    def act(desk):
        with desk.store() as store:
            (found,) = [(key, one) for key, one in store.all("path") if key[2] == path]
            kept = [entry for entry in found[1]["acl"].split(",") if entry.startswith(keep)]
            store.put("path", found[0], {**found[1], "acl": ",".join(kept)})

    return act


def gone(kind, *words):
    return lambda desk: desk.drop(kind, *words)


def told(command, database="Telemetry"):
    return lambda desk: desk.kql(command, database)


def changed(kind, name, **fields):
    return lambda desk: desk.change(kind, name, **fields)


LINKS = {
    "user-assigned identity detached": (detach(False), "cluster_identity exporter"),
    "system identity detached": (detach(True), "cluster_identity system"),
    "policy of the database emptied": (
        told(".alter database Telemetry policy managed_identity '[]'"),
        "managed_identity_policy",
    ),
    "policy of the cluster emptied": (
        told(".alter cluster policy managed_identity '[]'", ""),
        "managed_identity_policy",
    ),
    "role on the database dropped": (told(".set database Telemetry viewers none"), "database_role viewers"),
    "role on the other database dropped": (
        told(".set database Reference viewers none"),
        "database_role viewers exporter",
    ),
    "external table dropped": (gone("external_table", "'EventsLake'"), "external_table EventsLake"),
    "external table altered": (
        told(
            ".create-or-alter external table EventsFolder (Timestamp:datetime, RegionId:int) kind=storage dataformat=json"
            " (h@'https://contosolake.dfs.core.windows.net/shared/teams/telemetry/events;impersonate')"
        ),
        "external_table EventsFolder",
    ),
    "role assignment deleted": (gone("role_assignment", "archive"), "role_assignment"),
    "entries of the directory taken": (entries("/teams/telemetry"), "acl_entry"),
    "default entries of the directory taken": (
        entries("/teams/telemetry", ("user:", "group:", "other:", "mask:")),
        "acl_entry",
    ),
    "way through a parent directory closed": (entries("/teams"), "acl_entry"),
    "SQL permission revoked": (gone("sql_permission", "'INSERT'"), "sql_grant"),
    "SQL connection revoked": (gone("sql_permission", "'CONNECT'"), "sql_grant"),
    "SQL user dropped": (
        lambda desk: (desk.drop("sql_principal", "exporter"), desk.drop("sql_permission", "exporter")),
        "sql_user",
    ),
    "function dropped": (gone("function", "EventsForLake"), "function EventsForLake"),
    "export dropped": (told(".drop continuous-export EventsToBlob"), "continuous_export EventsToBlob"),
    "export on another interval": (
        told(
            ".create-or-alter continuous-export EventsToBlob over (Events) to table EventsBlob"
            " with (managedIdentity='system', intervalBetweenRuns=3h) <| Events"
        ),
        "continuous_export EventsToBlob",
    ),
    "export with another query": (
        told(
            ".create-or-alter continuous-export EventsToBlob over (Events) to table EventsBlob"
            " with (managedIdentity='system', intervalBetweenRuns=10m) <| Events | where Level == 'x'"
        ),
        "continuous_export EventsToBlob",
    ),
    "export of another identity": (
        told(
            ".create-or-alter continuous-export EventsToBlob over (Events) to table EventsBlob"
            " with (managedIdentity='11111111-0000-4000-8000-000000000000', intervalBetweenRuns=10m) <| Events"
        ),
        "continuous_export EventsToBlob",
    ),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_removed_by_hand_is_named_and_restored(seeded, name):
    act, words = LINKS[name]
    if name == "export of another identity":
        with seeded.store() as store:  # at-create checks would refuse it otherwise
            store.put("meta", ("switches",), {"export_identity_checked": "at-run"})
    act(seeded)
    code, out = seeded.on("drift", seeded.seed)
    assert code == 2, out
    kind, *names = words.split()
    lines = [line for line in out.splitlines() if kind in line]
    assert lines and all(any(one in line for line in lines) for one in names), out
    code, out = seeded.on("apply", seeded.seed, "--yes", "--allow", "restarts-export")
    assert code == 0, out
    assert seeded.on("drift", seeded.seed)[0] == 0
    seeded.green()


def test_a_denied_sql_permission_is_told_and_left_to_people(seeded):
    with seeded.store() as store:
        for key, document in store.all("sql_permission"):
            if key[-1] == "INSERT":
                store.put("sql_permission", key, {**document, "state": "D"})
    code, out = seeded.on("drift", seeded.seed)
    assert code == 2 and "DENY" in out, out
    assert seeded.on("apply", seeded.seed, "--yes")[0] != 0


def test_a_container_that_is_gone_is_told(seeded):
    seeded.drop("container", "archive")
    code, out = seeded.on("drift", seeded.seed)
    assert code != 3, out
