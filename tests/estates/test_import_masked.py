"""How a table gets in, where the service masks it: import states nothing that nobody knows, and no key is lost by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.kinds.kusto import external_table
from kxrecon.model import HIDDEN, Entity, Ref
from kxrecon.scope import Scope
from kxrecon.takeover.targets import Targets

from .raw import CLUSTER, COLUMNS, PRINCIPAL, Estate, Feed
from .test_import_laws import estate_of, planned_afresh, taken

PLACE = "https://flatlake.blob.core.windows.net/archive"
WAYS = {
    "impersonate": f"{PLACE}/a;impersonate",
    "managedIdentity": f"{PLACE}/a;managed_identity=system",
    "key": f"{PLACE}/a;ACCOUNTKEY==",
    "sas": f"{PLACE}/a?sv=1&sig=SIGNED",
}
OTHER = Feed(name="Other", place="sql")  # it makes the policy that an export with an identity needs
IDENTITY = f", managedIdentity='{PRINCIPAL['exporter']}'"


def add_table(ends, name, *connections):
    listed = ", ".join(f"h@'{one}'" for one in connections)
    table = f".create-or-alter external table {name} ({COLUMNS}) kind=storage dataformat=csv ({listed})"
    Estate.kql(Hand(ends), "Telemetry", table)


def add_export(ends, name, to, identity=""):
    head = f".create-or-alter continuous-export {name} over (Events) to table {to}"
    Estate.kql(Hand(ends), "Telemetry", f"{head} with (intervalBetweenRuns=10m{identity}) <| Events")


class Hand:
    def __init__(self, ends):
        self.ends = ends


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*argv):
    return cli.main([*argv, "--sandbox-file", "s.db"])


@pytest.mark.parametrize("shown", ["masked", "visible"])
@pytest.mark.parametrize("writers", [(IDENTITY,), ("",), (IDENTITY, "")], ids=["identity", "none", "both"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_stated_that_is_not_shown(tmp_path, way, writers, shown):
    if way == "impersonate" and "" in writers:
        pytest.skip("the service refuses an export without an identity there")
    with estate_of(tmp_path, [OTHER], impersonate_shown=shown) as ends:
        add_table(ends, "A", WAYS[way])
        for number, identity in enumerate(writers):
            add_export(ends, f"E{number}", "A", identity)
        result, _ = taken(ends)
        spec, plan = planned_afresh(ends, result)
    known = shown == "visible" and way in ("impersonate", "managedIdentity")
    doc = spec.document["targets"]["archive"]
    assert doc["auth"] == (way if known else "unknown") and "secret" not in doc, result.text
    assert ("how it gets in is masked" in result.text) is not known
    assert result.residue == () and result.left_out == () and plan.actions == (), result.text
    assert [one for one in plan.findings if one.kind in ("wrong", "blocked")] == []
    told = [one for one in plan.findings if "how it gets in is neither shown nor stated" in one.message]
    assert bool(told) is not known


def test_a_key_is_never_written_over_by_a_guess(folder, capsys):
    with estate_of(folder, [OTHER]) as ends:
        add_table(ends, "A", WAYS["key"])
        add_export(ends, "A", "A", IDENTITY)
    assert run("import", "--cluster", CLUSTER, "--out", "specs") == 0
    told = capsys.readouterr().err
    assert "auth: unknown" in told and told.count("archive") == 1, told
    spec = Path("specs/telemetry.yaml")
    assert run("plan", str(spec), "--detailed-exitcode") == 0
    capsys.readouterr()
    spec.write_text(spec.read_text().replace("path: a\n", "path: a\n        docString: hello\n"))
    assert "hello" in spec.read_text()
    assert run("plan", str(spec), "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["actions"] == []
    (blocked,) = [one["message"] for one in plan["findings"] if one["kind"] == "blocked"]
    assert blocked.startswith("unreadable-field: how it gets in cannot be read back"), blocked
    assert "state auth on the target 'archive'" in blocked

    stated = spec.read_text().replace("auth: unknown", "auth: key\n    secret: ${lake}")
    spec.write_text(stated + "variables: { lake: { secret: true } }\n")
    assert run("plan", str(spec), "--json", "--var", "lake=ACCOUNTKEY==") == 0
    (action,) = json.loads(capsys.readouterr().out)["actions"]
    assert "external_table" in json.dumps(action) and "impersonate" not in json.dumps(action)


def test_what_the_service_shows_is_kept_though_the_spec_leaves_it_open(folder, capsys):
    with estate_of(folder, [OTHER], impersonate_shown="visible") as ends:
        add_table(ends, "A", WAYS["impersonate"])
        add_export(ends, "A", "A", IDENTITY)
        result, _ = taken(ends)
    text = result.text.replace("auth: impersonate", "auth: unknown").replace(
        "path: a\n", "path: a\n        docString: hello\n"
    )
    Path("s.yaml").write_text(text.replace(", grants: check", ""))
    assert run("plan", "s.yaml", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    commands = [json.dumps(one) for one in plan["actions"]]
    assert any("a;impersonate" in one for one in commands), commands
    assert any("role_assignment" in one for one in commands), "whoever writes there needs the right to"


def test_a_table_that_is_not_there_cannot_be_made(folder, capsys):
    with estate_of(folder, []):
        pass
    Path("s.yaml").write_text(
        f"version: 1\nname: s\ncluster: {{ uri: '{CLUSTER}' }}\nmanage: {{ arm: 'off' }}\n"
        f"targets: {{ lake: {{ url: '{PLACE}', auth: unknown }} }}\n"
        "databases: { Telemetry: { externalTables: {\n"
        f"  A: {{ kind: storage, dataFormat: csv, target: lake, path: a, columns: '{COLUMNS}' }},\n"
        f"  B: {{ kind: storage, dataFormat: csv, columns: '{COLUMNS}', connections: ['{PLACE}/b;*******'] }} }} }} }}\n"
    )
    assert run("plan", "s.yaml", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    said = sorted(one["message"] for one in plan["findings"] if one["kind"] == "blocked")
    assert plan["actions"] == [] and len(said) == 2, said
    assert "nobody has said how it gets in, so it cannot be made: state auth on the target 'lake'" in said[0]
    assert "nobody has said how it gets in, so it cannot be made: state it in the spec" in said[1]


def test_two_keys_are_two_unknowns_and_no_link_is_called_broken(folder, capsys):
    with estate_of(folder, [OTHER]) as ends:
        add_table(ends, "A", f"{PLACE}/x;S0VZ", f"{PLACE}/y;S0VZMg==")
        add_export(ends, "A", "A")
        add_table(ends, "B", f"{PLACE}/z;S0VZ")
        add_export(ends, "B", "B", IDENTITY)
    assert run("import", "--cluster", CLUSTER, "--out", "specs") == 0
    told = capsys.readouterr().err
    text = Path("specs/telemetry.yaml").read_text()
    assert (
        f'"{PLACE}/x;*******"' in text and f'"{PLACE}/y;*******"' in text and "auth: impersonate\n    res" not in text
    )
    assert "archive, Telemetry/A" in told
    assert run("lint", "specs/telemetry.yaml", "--connected", "--json") == 0
    assert "KX122" not in capsys.readouterr().out
    assert run("plan", "specs/telemetry.yaml", "--detailed-exitcode") == 0
    capsys.readouterr()
    assert run("verify", "specs/telemetry.yaml", "--json") in (0, 2)
    chains = json.loads(capsys.readouterr().out)
    mine = [chain for chain in chains["exports"] if chain["export"] != "Telemetry/Other"]
    links = [link for chain in mine for link in chain["links"]]
    assert {link["verdict"] for link in links if link["link"] in ("authentication", "grant")} == {"unknown"}, links


def test_who_knows_how_everything_gets_in_says_so_once(tmp_path):
    with estate_of(tmp_path, [Feed(name="A"), Feed(name="B", missing=frozenset({"target"}), identity="other")]) as ends:
        add_table(ends, "C", f"{PLACE}/c;S0VZ")
        add_export(ends, "C", "C")
        result, _ = taken(ends, targets=Targets(stated="impersonate"))
        spec, plan = planned_afresh(ends, result)
        keyed, _ = taken(ends, targets=Targets(stated="key"), exports=["C"])
    docs = spec.document["targets"]
    assert {name: doc["auth"] for name, doc in docs.items()} == {"archive": "impersonate", "archive-2": "unknown"}
    assert plan.actions == () and list(result.lacking) == ["Telemetry/B"]
    assert "auth: key" in keyed.text and "secret: ${archiveSecret}" in keyed.text


def test_what_cannot_impersonate_does_not_share_a_target_with_what_may(tmp_path):
    """A person states how a target gets in for all of its tables at once."""
    with estate_of(tmp_path, [OTHER]) as ends:
        for name, identity in (("A", IDENTITY), ("B", ""), ("C", IDENTITY)):
            add_table(ends, name, f"{PLACE}/{name};S0VZ")
            add_export(ends, name, name, identity)
        result, _ = taken(ends)
    tables = result.composed.document["databases"]["Telemetry"]["externalTables"]
    assert [tables[name]["target"] for name in "ABC"] == ["archive", "archive-2", "archive"]
    assert "an export without an identity writes there" in result.composed.targets.comments["archive-2"]


def test_amazon_has_one_way_in_behind_a_semicolon(folder, capsys):
    with estate_of(folder, [OTHER]) as ends:
        add_table(ends, "S3", "https://bucket.s3.eu-west-1.amazonaws.com/p;AwsCredentials=AK,SK")
        add_export(ends, "S3", "S3")
    assert run("import", "--cluster", CLUSTER, "--out", "specs") == 0
    text = Path("specs/telemetry.yaml").read_text()
    assert '"https://bucket.s3.eu-west-1.amazonaws.com/p;AwsCredentials=${S3Secret}"' in text
    assert "# masked: AWS credentials, unless" in text and "S3Secret:" in text
    assert run("plan", "specs/telemetry.yaml", "--detailed-exitcode") == 0
    capsys.readouterr()
    spec = Path("specs/telemetry.yaml")
    spec.write_text(spec.read_text().replace("      S3:\n", "      S3:\n        docString: hello\n", 1))
    assert run("plan", "specs/telemetry.yaml", "--json") == 0
    (action,) = json.loads(capsys.readouterr().out)["actions"]
    assert "secret(S3Secret)" in json.dumps(action) or "S3Secret" in json.dumps(action)


MASKED_SQL = {"auth": HIDDEN, "identity": HIDDEN, "user": HIDDEN, "secret": HIDDEN}
SQL = {"server": "s.database.windows.net", "database": "Dwh", "options": {}}


@pytest.mark.parametrize("options", [{}, {"encrypt": "true"}])
@pytest.mark.parametrize(
    ("access", "auth"),
    [
        (MASKED_SQL, "unknown"),
        ({**MASKED_SQL, "auth": "managedIdentity"}, "unknown"),
        ({"auth": "impersonate", "identity": None, "user": None, "secret": None}, "impersonate"),
        ({"auth": "password", "identity": None, "user": "loader", "secret": HIDDEN}, "password"),
    ],
)
def test_of_a_sql_table_no_more_is_stated_than_is_shown(access, auth, options):
    connection = {**SQL, **access, "options": options}
    fields = {"kind": "sql", "columns": (("a", "long"),), "table": "dbo.T", "connection": connection}
    table = Entity(Ref("external_table", ("D", "T")), fields)
    targets = Targets()
    entry, _ = targets.place(table, ["exporter"])
    if not options:
        assert targets.docs[entry["target"]]["auth"] == auth
        scope = Scope(targets={one.name: one for one in targets.as_scope()})
        doc = entry
    else:
        (text,) = entry["connections"]
        assert ("*******" in text) is (auth == "unknown") and "Dwh" in text
        return
    stated = {"kind": "sql", "columns": "a:long", "table": "dbo.T", **doc}
    (wanted,) = external_table.desire(("D", "T"), stated, scope)
    assert external_table.adopt(wanted, table).fields["connection"]["auth"] == access["auth"]
