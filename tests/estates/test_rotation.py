"""An identity or a target takes another one's place: a failure leaves the old one working, a crash changes nothing."""

from __future__ import annotations

from unittest import mock

import pytest

from kxrecon import planfile
from kxrecon.hazards import Thresholds, too_much
from kxrecon.sandbox.forecast import Event, Rule
from kxrecon.testing import open_sandbox

GROUP = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
SPEC = f"""\
version: 1
name: ours
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: {GROUP}/providers/Microsoft.Kusto/clusters/telemetry
  identities:
    exporter: {IDENTITY}/one   # asked for in CHG0042
targets:
  lake: {{ url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate }}
defaults:
  continuousExports: {{ managedIdentity: exporter, intervalBetweenRuns: 10m, over: [Events] }}
  externalTables: {{ kind: storage, dataFormat: csv, target: lake, columns: "Timestamp:datetime, Level:string" }}
databases:
  Telemetry:
    tables: {{ Events: {{ columns: "Timestamp:datetime, Level:string" }} }}
    externalTables: {{ A: {{ path: a }}, B: {{ path: b }} }}
    continuousExports: {{ ToA: {{ to: A, query: Events }}, ToB: {{ to: B, query: Events }} }}
"""
ROW = ["2026-03-01T00:00:00Z", "Info"]


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        (tmp_path / "s.yaml").write_text(SPEC)
        assert opened.apply("s.yaml").converged
        opened.ingest("Events", [ROW])
        opened.tick("10m")
        yield opened


def rotate(sandbox, what, old, new, *more):
    told = sandbox.run("rotate", what, str(sandbox.root / "s.yaml"), "--from", old, "--to", new, *more)
    assert told.code == 0, told.text
    assert not told.writes
    return told


def apply(sandbox, *more):
    return sandbox.run("apply", str(sandbox.root / "s.yaml"), "--yes", *more)


def plan(sandbox):
    assert sandbox.plan("s.yaml").code == 0
    return planfile.load(sandbox.folder / ".kxrecon" / "plan.json")


def runs_as(sandbox):
    """The identity by export: the last name of its resource id."""
    store = sandbox._world.store
    names = {one["principalId"]: key[0].rpartition("/")[2] for key, one in store.all("identity")}
    return {key[2]: names[one["properties"]["managedIdentity"]] for key, one in store.all("continuous_export")}


def has_grants(sandbox, name):
    """Whether an identity is a viewer of the database, and writer of the lake."""
    store = sandbox._world.store
    (who,) = (one["principalId"] for key, one in store.all("identity") if key[0].endswith(f"/{name}"))
    viewer = any(one["objectId"] == who for _, one in store.all("role"))
    return viewer, any(one.principal_id == who for one in sandbox.grants())


def ran_well(sandbox):
    sandbox.ingest("Events", [ROW])
    runs = sandbox.tick("10m")
    return bool(runs) and all(run.succeeded for run in runs)


# --- identity -------------------------------------------------------------------------------------------------


def test_one_apply_grants_proves_switches_waits_and_revokes(sandbox):
    told = rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two", "--runs", "2")
    assert "exporter-old: " in told.text and "# asked for in CHG0042" in (sandbox.root / "s.yaml").read_text()
    done = apply(sandbox)
    assert done.converged, done.text
    text = done.text
    assert text.index("links hold") < text.index("continuous_export Telemetry/ToA  done")
    assert text.index("Telemetry/ToA: good run 2 of 2") < text.index("continuous_export Telemetry/ToB  done")
    assert text.index("Telemetry/ToB: good run 2 of 2") < text.index("- database_role Telemetry/viewers/exporter-old")
    assert set(runs_as(sandbox).values()) == {"two"}
    assert has_grants(sandbox, "two") == (True, True) and has_grants(sandbox, "one") == (False, False)
    assert ran_well(sandbox)
    after = sandbox.plan("s.yaml")
    assert after.is_empty
    assert any("is complete" in one for one in after.findings)
    assert sandbox.run("rotate", "done", str(sandbox.root / "s.yaml")).code == 0
    text = (sandbox.root / "s.yaml").read_text()
    assert "rotations" not in text and "exporter-old" not in text and f"{IDENTITY}/two" in text
    assert sandbox.plan("s.yaml").is_empty


def test_what_carries_no_mark_stays_and_is_named_unless_all_is_said(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    made = plan(sandbox)
    (left,) = {one.message for one in made.findings if one.kind == "left-behind"}
    assert (
        left == "belongs to exporter-old, and stays: it carries no mark (revoke: all in its rotation takes it away too)"
    )
    assert too_much(made, Thresholds(0, 0)) == (), "a rotation is meant"
    path = sandbox.root / "s.yaml"
    path.write_text(path.read_text().replace("from: exporter-old", "from: exporter-old, revoke: all"))
    gone = {ref.kind for one in plan(sandbox).actions if one.verb == "delete" for ref in one.refs}
    assert gone == {"managed_identity_policy", "database_role", "role_assignment"}
    path.write_text(path.read_text().replace("revoke: all", "revoke: none"))
    assert not any(one.verb == "delete" for one in plan(sandbox).actions)


def test_nothing_is_switched_before_every_link_of_the_new_one_would_hold(sandbox):
    account = sandbox._world.store.get("account", "contosolake")
    closed = {**account, "publicNetworkAccess": "Disabled"}
    sandbox._world.store.put("account", ("contosolake",), closed)
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    done = apply(sandbox)
    assert done.code == 1
    assert "broken at network" in done.text and "nothing was switched" in done.text
    assert set(runs_as(sandbox).values()) == {"one"} and has_grants(sandbox, "one") == (True, True)
    sandbox._world.store.put("account", ("contosolake",), account)
    assert ran_well(sandbox)
    assert apply(sandbox).converged
    assert set(runs_as(sandbox).values()) == {"two"}


def spoiled(sandbox, switched):
    """Runs as the new identity fail although every link shows as given: the sandbox forgets its role on the data."""
    from kxrecon.sandbox.scheduler import chain

    original = chain.first_broken

    def first_broken(subject):
        if subject.job.key[2] in switched and runs_as(sandbox)[subject.job.key[2]] == "two":
            from kxrecon.sandbox.scheduler.verdicts import Verdict

            return Verdict("grant", False, "Access was denied: (403)")
        return original(subject)

    return mock.patch("kxrecon.sandbox.scheduler.run.first_broken", first_broken)


def test_one_export_goes_first_and_if_it_fails_the_others_and_the_old_grants_stay(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    with spoiled(sandbox, {"ToA"}):
        done = apply(sandbox)
    assert done.code == 1
    assert "Telemetry/ToA: failed: Access was denied: (403)" in done.text
    assert "so it can be switched back" in done.text
    assert runs_as(sandbox) == {"ToA": "two", "ToB": "one"}
    assert has_grants(sandbox, "one") == (True, True)

    told = rotate(sandbox, "identity", "exporter", "exporter-old")
    assert f"+    exporter: {IDENTITY}/one" in told.text
    assert apply(sandbox).converged
    assert set(runs_as(sandbox).values()) == {"one"} and has_grants(sandbox, "two") == (False, False)
    assert ran_well(sandbox)


def test_without_waiting_each_later_apply_does_what_can_be_done_by_then(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    first = apply(sandbox, "--no-wait")
    assert first.code == 2 and "are left for a later apply" in first.text
    assert runs_as(sandbox) == {"ToA": "two", "ToB": "one"}
    again = apply(sandbox, "--no-wait")
    assert again.code == 2 and runs_as(sandbox) == {"ToA": "two", "ToB": "one"}, "no run was seen in between"
    assert ran_well(sandbox) and ran_well(sandbox)
    assert apply(sandbox, "--no-wait").code == 2
    assert set(runs_as(sandbox).values()) == {"two"} and has_grants(sandbox, "one") == (True, True)
    assert ran_well(sandbox) and ran_well(sandbox)
    assert apply(sandbox, "--no-wait").converged
    assert has_grants(sandbox, "one") == (False, False)


def test_a_run_that_may_have_begun_as_the_old_one_proves_nothing(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    apply(sandbox, "--no-wait")
    sandbox.tick("1m")
    sandbox.tick("9m")  # the first run after the switch
    assert "0 of" not in sandbox.plan("s.yaml").text
    assert any(one.until and one.until.what == "good-runs" for one in plan(sandbox).actions)
    sandbox.tick("10m")
    waits = [one for one in plan(sandbox).actions if one.until and one.until.what == "good-runs"]
    assert [[ref.label for ref in one.refs] for one in waits] == [["Telemetry/ToB"]]


def test_somebody_elses_export_keeps_what_it_needs_of_the_old_one(sandbox):
    who = next(one["principalId"] for key, one in sandbox._world.store.all("identity") if key[0].endswith("/one"))
    sandbox.kql(
        f".create-or-alter continuous-export Theirs over (Events) to table A with (managedIdentity='{who}', intervalBetweenRuns=10m) <| Events",
        "Telemetry",
    )
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two", "--revoke", "all")
    done = apply(sandbox)
    assert done.code == 2, done.text
    assert "stays: continuous_export Telemetry/Theirs relies on it" in done.text
    assert runs_as(sandbox) == {"ToA": "two", "ToB": "two", "Theirs": "one"}
    assert ran_well(sandbox)


def test_a_disabled_export_is_switched_and_not_waited_for_and_the_old_grants_stay(sandbox):
    sandbox.kql(".disable continuous-export ToA", "Telemetry")
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    assert apply(sandbox).converged
    assert set(runs_as(sandbox).values()) == {"two"} and has_grants(sandbox, "one") == (True, True)
    told = sandbox.plan("s.yaml")
    assert told.is_empty
    assert "is disabled: no run of it can show that exporter works, so nothing of exporter-old goes" in told.text
    assert "2 of 2 exports switched, good runs seen of 0; 2 old grants to take away" in told.text
    assert "disabled it on" in told.text and "by .disable" in told.text, "who stopped it, not who wrote it again"
    done = sandbox.run("rotate", "done", str(sandbox.root / "s.yaml"))
    assert done.code == 1 and "not complete yet" in done.text
    sandbox.kql(".enable continuous-export ToA", "Telemetry")
    assert apply(sandbox).converged
    assert has_grants(sandbox, "one") == (False, False)


def test_an_export_that_shall_be_disabled_holds_nothing_back(sandbox):
    path = sandbox.root / "s.yaml"
    path.write_text(
        path.read_text().replace("ToA: { to: A, query: Events", "ToA: { to: A, query: Events, isDisabled: true")
    )
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    done = apply(sandbox)
    assert done.converged, done.text
    assert set(runs_as(sandbox).values()) == {"two"} and has_grants(sandbox, "one") == (False, False)


def test_an_identity_that_is_not_shown_keeps_everything(sandbox):
    sandbox.switch(export_identity_shown="script", csl_script_lists_exports=False)
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    made = plan(sandbox)
    assert not any(one.verb == "delete" for one in made.actions)
    blocked = [one for one in made.findings if one.kind == "blocked"]
    assert {one.ref.label for one in blocked} == {"Telemetry/ToA", "Telemetry/ToB"}
    assert all("nobody can tell as whom it runs" in one.message for one in blocked)


def test_while_exports_cannot_be_read_nothing_of_the_old_one_goes(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    sandbox.weather(Rule(Event("refused"), ".show continuous-exports", chance=1.0))
    made = plan(sandbox)
    assert not any(one.verb == "delete" for one in made.actions)
    assert {one.ref.label for one in made.findings if "nobody can tell" in one.message} == {
        "Telemetry/ToA",
        "Telemetry/ToB",
    }


def test_names_that_change_places_are_rewritten_wherever_they_stand(sandbox):
    path = sandbox.root / "s.yaml"
    text = path.read_text().replace("  identities:\n", f"  identities:\n    second: {IDENTITY}/two\n")
    path.write_text(text.replace("  Telemetry:\n", "  Telemetry:\n    roles: { monitors: { add: [ exporter ] } }\n"))
    assert apply(sandbox).converged
    rotate(sandbox, "identity", "exporter", "second", "--revoke", "all")
    text = path.read_text()
    assert "managedIdentity: second" in text and "add: [ second ]" in text
    assert "second: { from: exporter, revoke: all }" in text
    done = apply(sandbox)
    assert done.converged, done.text
    assert set(runs_as(sandbox).values()) == {"two"} and has_grants(sandbox, "one") == (False, False)
    told = sandbox.run("rotate", "done", str(path), "--identity", "second")
    assert told.code == 0 and "/one" not in path.read_text()


@pytest.mark.parametrize("revoke", ["owned", "all"])
def test_killed_after_any_action_the_next_apply_ends_where_an_undisturbed_one_does(sandbox, revoke):
    from kxrecon import apply as applying

    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two", "--revoke", revoke)
    snapshot = sandbox._world.store._db.execute("SELECT kind, key, body FROM document").fetchall()
    number = len(plan(sandbox).actions)
    perform = applying.Applier._perform
    for cut in range(0, number, 2):
        with sandbox._world.store.transaction():
            sandbox._world.store._db.execute("DELETE FROM document")
            sandbox._world.store._db.executemany("INSERT INTO document VALUES (?, ?, ?)", snapshot)
        done = []

        def killed(self, action, done=done, cut=cut):
            if len(done) >= cut:
                raise KeyboardInterrupt("killed")
            done.append(action.id)
            return perform(self, action)

        with mock.patch.object(applying.Applier, "_perform", killed), pytest.raises(KeyboardInterrupt):
            raise_through(sandbox)
        assert "one" not in runs_as(sandbox).values() or has_grants(sandbox, "one") == (True, True)
        assert apply(sandbox).converged
        assert set(runs_as(sandbox).values()) == {"two"}
        assert has_grants(sandbox, "one") == (False, False) and has_grants(sandbox, "two") == (True, True)


def raise_through(sandbox):
    apply(sandbox, "--max-parallel", "1")
    raise KeyboardInterrupt


# --- target ---------------------------------------------------------------------------------------------------

NEW = "https://newlake.blob.core.windows.net/archive"


def places(sandbox, export):
    return {one.path.rpartition("/")[0] for one in sandbox.artifacts(export)}


def test_a_target_moves_and_the_report_tells_what_lies_where(sandbox):
    exported = sandbox.export("ToA").exported_to
    told = rotate(sandbox, "target", "lake", NEW)
    assert "azcopy copy 'https://contosolake.blob.core.windows.net/archive/a/*'" in told.text
    before = {one.name: one.cursor for one in sandbox.exports()}
    done = apply(sandbox)
    assert done.converged, done.text
    assert f"records of Telemetry/ToA ingested up to {exported} lie at its old place" in done.text
    assert all(one.cursor >= before[one.name] and not one.is_disabled for one in sandbox.exports())
    (grant,) = sandbox.grants()
    assert "newlake" in grant.scope
    sandbox.ingest("Events", [ROW])
    sandbox.tick("10m")
    assert places(sandbox, "ToA") == {"https://contosolake.blob.core.windows.net/archive/a", f"{NEW}/a"}
    assert sum(one.records for one in sandbox.artifacts("ToA")) == 2, "each record once, at one of the two places"
    told = sandbox.run("rotate", "done", str(sandbox.root / "s.yaml"))
    assert told.code == 0 and "contosolake" not in (sandbox.root / "s.yaml").read_text()
    assert sandbox.plan("s.yaml").is_empty


def test_without_waiting_a_file_at_the_new_place_is_the_proof(sandbox):
    rotate(sandbox, "target", "lake", NEW)
    assert apply(sandbox, "--no-wait").code == 2
    sandbox.tick("10m")
    assert apply(sandbox, "--no-wait").code == 2, "a run without a file shows nothing"
    assert ran_well(sandbox)
    assert apply(sandbox, "--no-wait").code == 2
    assert ran_well(sandbox)
    assert apply(sandbox, "--no-wait").converged
    assert len(sandbox.grants()) == 1


def test_a_target_that_cannot_be_written_leaves_the_exports_running_where_they_were(sandbox):
    sandbox.weather(Rule(Event("refused"), "RoleAssignments_Create", chance=1.0))
    rotate(sandbox, "target", "lake", NEW)
    done = apply(sandbox)
    assert done.code == 1, done.text
    assert not any(one.is_disabled for one in sandbox.exports())
    sandbox.weather()
    assert ran_well(sandbox)
    assert places(sandbox, "ToA") == {"https://contosolake.blob.core.windows.net/archive/a"}
    assert apply(sandbox).converged


@pytest.mark.parametrize(("what", "old", "new"), [("target", "lake", NEW), ("identity", "exporter", f"{IDENTITY}/two")])
def test_exports_that_stand_still_for_another_change_too_do_so_once_and_not_while_others_run(sandbox, what, old, new):
    path = sandbox.root / "s.yaml"
    path.write_text(path.read_text().replace("query: Events", "query: 'Events | project Timestamp, Level'"))
    assert apply(sandbox).converged
    rotate(sandbox, what, old, new)
    was, shall = (f'Events: {{ columns: "Timestamp:datetime, Level:string{more}" }}' for more in ("", ", Code:int"))
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, shall))
    waits = [one for one in plan(sandbox).actions if one.until and one.until.what == "good-runs"]
    assert [len(one.refs) for one in waits] == [2], "none stands still while the other's runs are waited for"
    done = apply(sandbox)
    assert done.converged, done.text
    assert not any(one.is_disabled for one in sandbox.exports())


# --- the verb -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("identity", "exportr", f"{IDENTITY}/two"), "the spec has no identity 'exportr': it has exporter, system"),
        (("identity", "exporter", "exporter"), "cannot take its own place"),
        (("identity", "exporter", "nobody"), "neither an identity of the spec"),
        (("identity", "system", f"{IDENTITY}/two"), "the system identity keeps its name"),
        (("target", "lake", "newlake"), "--to newlake: neither a target of the spec nor an address"),
        (("target", "lake", "ftp://newlake/archive"), "--to ftp://newlake/archive: neither a target of the spec nor"),
        (("target", "lake", "https://contosolake.blob.core.windows.net/archive/"), "'lake' lies there already"),
        (("target", "lake", "https://contosolake.dfs.core.windows.net/archive"), "'lake' lies there already"),
        (("target", "lake", "abfss://archive@contosolake.dfs.core.windows.net/"), "'lake' lies there already"),
        (("target", "lake", "https://new lake/archive"), "s.yaml stays as it is"),
        (("identity", "exporter", f"{IDENTITY}/ONE/"), "'exporter' is that identity already"),
    ],
)
def test_what_cannot_be_asked_for_is_said_and_nothing_is_written(sandbox, words, told):
    what, old, new = words
    path = sandbox.root / "s.yaml"
    before = path.read_text()
    done = sandbox.run("rotate", what, str(path), "--from", old, "--to", new)
    assert done.code == 1 and told in done.text, done.text
    assert path.read_text() == before and ".new." not in done.text


def test_a_place_is_the_same_by_another_name_too_and_behind_variables(sandbox):
    path = sandbox.root / "s.yaml"
    lake = SPEC[SPEC.index("  lake:") : SPEC.index("defaults:")]
    second = lake.replace("lake:", "second:").replace("impersonate", "none").replace("contosolake", "${who}lake")
    path.write_text(SPEC.replace(lake, lake + second) + "variables: { who: { default: contoso } }\n")
    before = path.read_text()
    done = sandbox.run("rotate", "target", str(path), "--from", "lake", "--to", "second")
    assert done.code == 1 and "'lake' and 'second' lie in the same place" in done.text, done.text
    here = "https://contosolake.blob.core.windows.net/archive"
    done = sandbox.run("rotate", "target", str(path), "--from", "second", "--to", here)
    assert done.code == 1 and "'second' lies there already" in done.text, done.text
    assert path.read_text() == before


@pytest.mark.parametrize("to", ["Contoso.database.windows.net", "tcp:contoso.database.windows.net,1433/Dwh"])
def test_a_sql_database_that_stays_is_no_rotation(sandbox, to):
    path = sandbox.root / "s.yaml"
    dwh = "  dwh: { server: contoso.database.windows.net, database: Dwh, auth: impersonate }\n"
    path.write_text(SPEC.replace("defaults:", f"{dwh}defaults:"))
    done = sandbox.run("rotate", "target", str(path), "--from", "dwh", "--to", to)
    assert done.code == 1 and "'dwh' lies there already" in done.text, done.text


def test_a_rotation_that_is_under_way_is_not_finished_and_no_other_begins(sandbox):
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    done = sandbox.run("rotate", "done", str(sandbox.root / "s.yaml"))
    assert done.code == 1 and "not complete yet" in done.text and "0 of 2 exports switched" in done.text
    again = sandbox.run(
        "rotate", "identity", str(sandbox.root / "s.yaml"), "--from", "exporter", "--to", f"{IDENTITY}/three"
    )
    assert again.code == 1 and "a rotation of identity 'exporter' is still in the spec" in again.text


def test_an_overlay_is_edited_and_what_it_extends_is_not(sandbox):
    base = sandbox.root / "s.yaml"
    before = base.read_text()
    overlay = sandbox.root / "prod.yaml"
    overlay.write_text("# prod\nextends: [ s.yaml ]\nname: ours\n")
    told = sandbox.run("rotate", "target", str(overlay), "--from", "lake", "--to", NEW)
    assert told.code == 0, told.text
    assert base.read_text() == before
    text = overlay.read_text()
    assert text.startswith("# prod\nextends: [ s.yaml ]\n") and f"url: {NEW}" in text.replace('"', "")
    assert sandbox.run("apply", str(overlay), "--yes").converged
    assert all("newlake" in one.scope for one in sandbox.grants())
