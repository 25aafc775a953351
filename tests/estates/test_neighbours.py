"""What an export of another database of the cluster relies on stays, whether or not the spec names that database."""

from __future__ import annotations

from unittest import mock

import pytest

from kxrecon import planfile
from kxrecon.model import Failure
from kxrecon.testing import open_sandbox

GROUP = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
HEAD = f"""\
version: 1
name: {{name}}
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: {GROUP}/providers/Microsoft.Kusto/clusters/telemetry
  identities: {{{{ exporter: {IDENTITY}/one }}}}
targets:
  archive: {{{{ url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate }}}}
  second: {{{{ url: "https://contosolake.blob.core.windows.net/second", auth: impersonate }}}}
defaults:
  continuousExports: {{{{ managedIdentity: exporter, intervalBetweenRuns: 10m, over: [Events] }}}}
  externalTables: {{{{ kind: storage, dataFormat: csv, columns: "Timestamp:datetime, Level:string" }}}}
prune: {{{{ grants: {{prune}} }}}}
databases:
"""
DATABASE = """\
  {name}:
    tables: {{ Events: {{ columns: "Timestamp:datetime, Level:string" }} }}
    externalTables: {{ {name}Table: {{ target: {target}, path: {name} }} }}
    continuousExports: {{ {name}Export: {{ to: {name}Table, query: "{query}" }} }}
"""
EMPTY = "  {name}: {{ externalTables: {{}}, continuousExports: {{}} }}\n"
T, U = {"name": "T", "target": "archive", "query": "Events"}, {"name": "U", "target": "second", "query": "Events"}
ROW = ["2026-03-01T00:00:00Z", "Info"]


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        yield opened


def spec(sandbox, *databases, name="ours", prune="owned"):
    """A spec with these databases; one that is a name alone has no exports any more."""
    blocks = [EMPTY.format(name=one) if isinstance(one, str) else DATABASE.format(**one) for one in databases]
    (sandbox.root / f"{name}.yaml").write_text(HEAD.format(name=name, prune=prune) + "".join(blocks))
    return f"{name}.yaml"


def made(sandbox, *databases, **more):
    done = sandbox.apply(spec(sandbox, *databases, **more))
    assert done.converged, done.text
    return done


def planned(sandbox, path="ours.yaml"):
    told = sandbox.plan(path)
    assert told.code == 0
    return planfile.load(sandbox.folder / ".kxrecon" / "plan.json")


def gone(plan):
    return {ref.kind for action in plan.actions if action.verb == "delete" for ref in action.refs}


def left(plan, kind="left-behind"):
    return {one.ref.label: one.message for one in plan.findings if one.kind == kind and one.ref}


def ran_well(sandbox, *databases):
    for name in databases:
        sandbox.ingest("Events", [ROW], name)
    runs = sandbox.tick("10m")
    return len(runs) == len(databases) and all(run.succeeded for run in runs)


def said_of_the_second(found):
    return next(message for label, message in found.items() if "/containers/second/" in label)


@pytest.mark.parametrize("prune", ["owned", "none"])
def test_a_database_taken_out_of_the_spec_keeps_what_its_exports_need_and_is_named(sandbox, prune):
    made(sandbox, T, U, prune=prune)
    spec(sandbox, T, prune=prune)
    for _ in range(2):
        plan = planned(sandbox)
        assert gone(plan) == set()
        found = left(plan)
        assert "is kept for U/UExport, which this spec does not have" in said_of_the_second(found)
        assert "relies on grants with the mark kxrecon/ours" in found["U/UExport"]
        assert "is kept for U/UExport" in found["U/viewers/exporter"]
    assert sandbox.apply("ours.yaml").code == 0
    assert ran_well(sandbox, "T", "U")


def test_with_a_ledger_what_is_left_elsewhere_is_named_though_no_grant_shows_it(sandbox):
    """Both write to one container, so nothing that the spec looks at by itself is left over."""
    both = (T, {**U, "target": "archive"})
    path = sandbox.root / spec(sandbox, *both)
    ledger = "ledger: { file: ledger.jsonl }\n"
    path.write_text(path.read_text() + ledger)
    assert sandbox.apply(path.name).converged
    path.write_text((sandbox.root / spec(sandbox, T)).read_text() + ledger)
    plan = planned(sandbox)
    assert gone(plan) == set()
    found = left(plan)
    assert found["U/UExport"].startswith("runs on: an apply of this spec made it")
    assert found["U/UTable"].startswith("is still there: an apply of this spec made it")


def test_what_the_last_export_elsewhere_needed_goes_after_it_and_only_that(sandbox):
    made(sandbox, T, U)
    spec(sandbox, T)
    sandbox.kql(".drop continuous-export UExport", "U")
    plan = planned(sandbox)
    assert gone(plan) == {"role_assignment"}, "the role on U lies in a database that the spec does not name"
    assert "once the spec names U again" in next(
        one.remedy for one in plan.findings if one.ref and one.ref.label == "U/viewers/exporter"
    )
    assert sandbox.apply("ours.yaml", allow=["removes-access"]).converged
    assert ran_well(sandbox, "T")


def test_a_grant_that_another_teams_export_shares_is_not_revoked(sandbox):
    made(sandbox, T)
    made(sandbox, {**U, "target": "archive"}, name="theirs")
    spec(sandbox, "T")
    sandbox.kql(".drop continuous-export TExport", "T")
    plan = planned(sandbox)
    assert gone(plan) == {"database_role"}
    assert any("is kept for U/UExport" in message for message in left(plan).values())
    assert sandbox.apply("ours.yaml", allow=["removes-access"]).code == 0
    assert ran_well(sandbox, "U")


def test_an_export_elsewhere_that_reads_this_database_keeps_its_role_here(sandbox):
    made(sandbox, T)
    made(sandbox, {**U, "query": "Events | union database('T').Events"}, name="theirs")
    spec(sandbox, "T")
    sandbox.kql(".drop continuous-export TExport", "T")
    assert gone(planned(sandbox)) == {"role_assignment"}
    assert "U/UExport relies on it" in left(planned(sandbox), "blocked")["T/viewers/exporter"]


def test_a_rotation_leaves_what_exports_of_other_databases_use(sandbox):
    made(sandbox, T, {**U, "target": "archive"})
    path = spec(sandbox, T)
    told = sandbox.run("rotate", "identity", str(sandbox.root / path), "--from", "exporter", "--to", f"{IDENTITY}/two")
    assert told.code == 0, told.text
    done = sandbox.apply(path)
    assert "stays: continuous_export U/UExport may rely on it: how it gets in at its target cannot be read" in done.text
    assert "U/viewers/exporter-old" not in done.text.partition("Left behind")[0]
    assert ran_well(sandbox, "T", "U")


def refused(sandbox, answers):
    """The plan while these questions, and no others, are refused."""
    from kxrecon.planes.kusto import KustoPlane

    read = KustoPlane.read

    def reading(self, question):
        if (question.target, question.text) in answers:
            return Failure("denied", "you may not look", "403")
        return read(self, question)

    with mock.patch.object(KustoPlane, "read", reading):
        return planned(sandbox)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (("", ".show databases"), "not all databases of the cluster could be seen (you may not look)"),
        (("", ".show cluster policy managed_identity"), "AllDatabasesMonitor shows all"),
        (("U", ".show continuous-exports"), "continuous_export U could not be read (you may not look)"),
        (("U", ".show external tables"), "external_table U could not be read (you may not look)"),
        (("U", ".show functions"), "function U could not be read (you may not look)"),
    ],
)
def test_what_cannot_be_seen_elsewhere_keeps_what_may_be_needed_there(sandbox, question, told):
    made(sandbox, T, {**U, "target": "archive"})
    spec(sandbox, "T")
    sandbox.kql(".drop continuous-export TExport", "T")
    plan = refused(sandbox, [question])
    assert gone(plan) == set()
    assert any(told in message and "stays: " in message for message in left(plan, "unknown").values())
    spec(sandbox, "T", prune="none")
    assert any(
        told in message and "whether something needs it cannot be told" in message
        for message in left(refused(sandbox, [question])).values()
    )


def test_while_others_cannot_be_seen_a_rotation_keeps_the_old_grants(sandbox):
    made(sandbox, T)
    path = spec(sandbox, T)
    assert (
        sandbox.run(
            "rotate", "identity", str(sandbox.root / path), "--from", "exporter", "--to", f"{IDENTITY}/two"
        ).code
        == 0
    )
    plan = refused(sandbox, [("", ".show databases")])
    assert gone(plan) == set()
    assert all("not all databases" in message for message in left(plan, "unknown").values())
    assert not any("is complete" in one.message for one in plan.findings)


def test_other_databases_are_asked_only_when_something_goes_that_they_may_need(sandbox):
    made(sandbox, T, U)
    from kxrecon.planes.kusto import KustoPlane

    asked = []
    read = KustoPlane.read

    def reading(self, question):
        asked.append((question.target, question.text))
        return read(self, question)

    spec(sandbox, {**T, "query": "Events | where true"}, U)
    with mock.patch.object(KustoPlane, "read", reading):
        planned(sandbox)
        assert ("", ".show databases") not in asked
        spec(sandbox, T)
        asked.clear()
        planned(sandbox)
    assert ("", ".show databases") in asked
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    assert sum(target == "" for target, _ in asked) <= 4
    assert sum(target == "U" for target, _ in asked) <= 12


def test_an_access_control_list_entry_that_an_export_elsewhere_relies_on_stays():
    from kxrecon.model import Entity, Ref, State
    from kxrecon.relied import relied_on
    from kxrecon.scope import Directory, Scope

    host = "contosolake.dfs.core.windows.net"
    account = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/contosolake"
    scope = Scope(
        identities={"exporter": "/x"}, directory=Directory(accounts={"contosolake.blob.core.windows.net": account})
    )
    export = Entity(Ref("continuous_export", ("U", "E")), {"to": "X", "query": "Q", "managedIdentity": "exporter"})
    uri = "https://contosolake.blob.core.windows.net/archive/u"
    table = Entity(
        Ref("external_table", ("U", "X")), {"kind": "storage", "connections": ({"uri": uri, "auth": "impersonate"},)}
    )
    entries = [Ref("acl_entry", (host, "archive", path, "exporter")) for path in ("/", "/u", "/uv", "/t")]
    gone = {ref: Entity(ref, {}) for ref in entries}
    stays = State({one.ref: one for one in (export, table)})
    assert set(relied_on(gone, stays, stays, scope)) == set(entries[:2])
    nowhere = Scope(identities={"exporter": "/x"})
    assert set(relied_on(gone, stays, stays, nowhere)) == set(entries[:2]), "an account that nobody could find"


def test_as_whom_a_hidden_export_runs_may_be_anybody_who_loses_something():
    from kxrecon.model import HIDDEN, Entity, Ref, State
    from kxrecon.relied import relied_on
    from kxrecon.scope import Scope

    export = Entity(Ref("continuous_export", ("U", "E")), {"to": "X", "query": "Q", "managedIdentity": HIDDEN})
    role = Ref("database_role", ("U", "viewers", "exporter"))
    elsewhere = Ref("database_role", ("T", "viewers", "exporter"))
    stays = State({export.ref: export})
    kept = relied_on({ref: Entity(ref, {}) for ref in (role, elsewhere)}, stays, stays, Scope())
    assert kept == {role: "continuous_export U/E may rely on it: as whom it runs cannot be read"}
