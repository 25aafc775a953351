"""What import writes, and what it says where it cannot: links, lists, users, masked secrets, what nobody asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.errors import PlaneError, UsageError
from kxrecon.takeover.targets import Targets

from .raw import CLUSTER, EXPORTER, PRINCIPAL, Estate, Feed
from .test_import_laws import estate_of, planned_afresh, taken


@pytest.fixture
def estate(tmp_path):
    def opened(*feeds, **setting):
        return estate_of(tmp_path, feeds, **setting)

    return opened


def exports(result):
    return result.composed.document["databases"]["Telemetry"]["continuousExports"]


def test_a_whole_estate_lacks_nothing_and_repeats_nothing(estate):
    feeds = [
        Feed(name="A"),
        Feed(name="B", place="acl", identity="system"),
        Feed(name="C", place="sql"),
        Feed(name="D"),
    ]
    with estate(*feeds) as ends:
        result, _ = taken(ends, targets=Targets(stated="impersonate"))
        spec, plan = planned_afresh(ends, result)
    assert result.lacking == {} and result.left_out == ()
    assert plan.actions == () and not [one for one in plan.findings if one.kind in ("handover", "blocked")]
    targets = spec.document["targets"]
    assert targets["landing"] == {
        "url": "https://deeplake.dfs.core.windows.net/fs/landing",
        "auth": "impersonate",
        "resourceId": targets["landing"]["resourceId"],
        "grant": "acl",
    }
    assert targets["Dwh"]["userName"] == "hand made exporter"
    assert "fs" not in targets, "a target that no table names is not written"
    assert "target: archive" in result.text and result.text.count("parquetRowGroupSize") == 1


@pytest.mark.parametrize("missing", ["target", "viewer"])
def test_a_missing_link_is_named_and_not_made(estate, missing):
    with estate(Feed(name="A", missing=frozenset({missing}))) as ends:
        result, _ = taken(ends, targets=Targets(stated="impersonate"))
        _, plan = planned_afresh(ends, result)
    assert plan.actions == ()
    assert exports(result)["A"]["grants"] == "check"
    (lacks,) = {one for what in result.lacking.values() for one in what if "Reference" not in one}
    assert {
        "target": "lacks role_assignment flatlake/archive Storage Blob Data Contributor exporter",
        "viewer": "lacks database_role Telemetry/viewers/exporter",
    }[missing] in lacks
    assert f"# {lacks}" in result.text
    assert any(one.kind == "handover" for one in plan.findings)


def test_a_masked_key_becomes_a_secret_variable(estate):
    with estate(Feed(name="A", identity=None)) as ends:
        result, _ = taken(ends, targets=Targets(stated="key"))
        spec, plan = planned_afresh(ends, result)
    assert plan.actions == ()
    assert list(spec.secrets) == ["archiveSecret"]
    assert "secret: ${archiveSecret}" in result.text
    assert "# the secret is masked: give archiveSecret its value" in result.text


def test_an_identity_that_is_shown_nowhere_is_left_open_with_a_comment(estate):
    with estate(Feed(name="A", identity="system"), csl_script_lists_exports=False) as ends:
        result, _ = taken(ends)
        _, plan = planned_afresh(ends, result)
    assert "managedIdentity" not in exports(result)["A"]
    assert "# managedIdentity could not be read: state it" in result.text
    assert plan.actions == ()


def test_a_query_that_cannot_be_read_is_left_out_and_said(estate):
    with estate(Feed(name="A", query="Events | where Message != h'secret'"), Feed(name="B")) as ends:
        result, _ = taken(ends)
    assert list(exports(result)) == ["B"]
    assert result.left_out == (
        "continuous_export Telemetry/A: its query holds an obfuscated literal, which the service shows as asterisks",
    )
    assert "h'secret'" not in result.text


def test_names_that_a_spec_refuses_are_left_out_with_their_exports(estate):
    with estate(Feed(name="Ärger"), Feed(name="B")) as ends:
        result, _ = taken(ends)
        _, plan = planned_afresh(ends, result)
    assert list(exports(result)) == ["B"]
    assert {one.split(":")[0] for one in result.left_out} == {
        "continuous_export Telemetry/Ärger",
        "external_table Telemetry/Ärger target",
    }
    assert plan.actions == ()


def test_only_what_an_export_needs_is_taken_and_the_rest_is_listed(estate):
    with estate(Feed(name="A", query="Kept()"), Feed(name="B")) as ends:
        result, _ = taken(ends, exports=["A"])
    database = result.composed.document["databases"]["Telemetry"]
    assert {section: list(names) for section, names in database.items()} == {
        "tables": ["Events"],
        "functions": ["Inner", "Kept"],
        "externalTables": ["A target"],
        "continuousExports": ["A"],
    }
    assert "#   continuousExports: B" in result.text
    assert "#   tables: Logs, odd name" in result.text


def test_rights_that_no_export_needs_are_listed_by_names_that_people_read(estate):
    everything = json.dumps([{"ObjectId": PRINCIPAL["other"], "AllowedUsages": "All"}])
    with estate(Feed(name="A"), Feed(name="B", missing=frozenset({"target"}))) as ends:
        Estate(ends).kql("", f".alter-merge cluster policy managed_identity '{everything}'")
        Estate(ends).kql("Telemetry", f".add database Telemetry users ('aadapp={PRINCIPAL['other']}') 'by hand'")
        result, _ = taken(ends)
    footer = result.text.partition("Also given there, and not managed by this spec:")[2]
    assert "#   managed_identity_policy cluster/other/All\n" in footer
    assert "#   database_role Telemetry/users/other\n" in footer
    assert "exporter/AutomatedFlows" not in footer, "what exports need is derived"
    for place in (result.text, *(one for what in result.lacking.values() for one in what)):
        assert "ba92f5b4" not in place.partition("Also given")[0]


def test_identities_are_written_as_arm_spells_them(estate):
    with estate(Feed(name="A")) as ends:
        result, _ = taken(ends)
    assert f"exporter: {EXPORTER}" in result.text


def test_what_is_not_there_is_an_error(estate):
    with estate(Feed(name="A")) as ends:
        with pytest.raises(UsageError, match="no database Nowhere; it has Reference, Telemetry"):
            taken(ends, databases=["Nowhere"])
        with pytest.raises(UsageError, match="no continuous export Telemetry/B"):
            taken(ends, exports=["Telemetry/B"])


def test_three_hundred_exports_in_few_requests(estate):
    feeds = [Feed(name=f"Feed{number}") for number in range(40)]
    with estate(*feeds[:2]) as ends:
        few, counted = taken(ends)
        small = sum(client.reads for client in counted.values())
        for feed in feeds[2:]:
            from .raw import Estate

            Estate(ends)._external_table(feed)
            Estate(ends)._export(feed)
        many, counted = taken(ends)
    assert few.counts["continuousExports"] == 2 and many.counts["continuousExports"] == 40
    assert sum(client.reads for client in counted.values()) == small


def test_the_command_writes_a_folder_and_plan_finds_nothing(estate, tmp_path, monkeypatch, capsys):
    long = "Events\n" + "".join(f"| where Message != 'x{number}'\n" for number in range(40)) + "| take 10"
    with estate(Feed(name="A", query=long), Feed(name="B")):
        pass
    monkeypatch.chdir(tmp_path)
    assert cli.main(["import", "--cluster", CLUSTER, "--sandbox-file", "s.db", "--out", "specs"]) == 0
    assert "taken over: 1 tables, 2 externalTables, 2 continuousExports" in capsys.readouterr().err
    assert Path("specs/kql/Telemetry/A.kql").read_text().startswith("Events\n| where")
    assert cli.main(["plan", "specs/telemetry.yaml", "--sandbox-file", "s.db", "--json", "--detailed-exitcode"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["actions"] == []
    assert cli.main(["import", "--cluster", CLUSTER, "--sandbox-file", "s.db", "--out", "specs"]) == 1
    assert "is there already" in capsys.readouterr().err


def test_without_a_sandbox_file_there_is_nothing_to_import(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["import", "--cluster", CLUSTER, "--sandbox"]) == 1
    assert "there is no sandbox in" in capsys.readouterr().err
    assert not Path(".kxrecon/sandbox.db").exists()


def test_a_cluster_that_cannot_be_read_is_an_error(estate):
    with estate() as ends:
        from kxrecon.planes import Wire
        from kxrecon.planes.connect import connect
        from kxrecon.scope import Scope
        from kxrecon.takeover.estate import take_over

        scope = Scope(name="x", cluster_uri="https://other.westeurope.kusto.windows.net")
        wire = Wire(name="sandbox", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
        with pytest.raises(PlaneError, match="databases could not be listed"):
            take_over(scope, connect(wire, scope, read_only=True))
