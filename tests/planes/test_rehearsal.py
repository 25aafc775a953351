"""A dry run cannot write: only the definition of an external table with ``dryRun=true`` is one, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.errors import PlaneError
from kxrecon.kinds import World
from kxrecon.kinds.kusto import external_table
from kxrecon.model import Change, Entity, Read, Ref, Request, State
from kxrecon.planes import Wire, WriteRefused, kusto
from kxrecon.planes.connect import connect, rehearsing
from kxrecon.planes.rehearsal import is_rehearsal
from kxrecon.scope import Scope
from tests.witness.judge import CLR, judge

HOSTILE = st.one_of(
    st.sampled_from(
        [
            *(
                "dryRun=true",
                "with (dryRun=true)",
                "') with (dryRun=true",
                "])) with (dryRun=true) //",
                "<| .drop table T",
            ),
            *(
                "it's",
                'say "hi"',
                "back\\slash\\",
                "```",
                "~~~",
                "h@'x'",
                "// no",
                "a\nb",
                "a\r\n.drop table T",
                "ü🦆\u2028",
            ),
        ]
    ),
    st.text(max_size=12).filter(bool),
)
COLUMNS = (("Timestamp", "datetime"), ("Level", "string"))


def connections(uri):
    return (
        {"uri": f"https://lake.blob.core.windows.net/{uri}", "auth": "impersonate", "identity": None, "secret": None},
    )


def rendered(name, *, folder=None, doc=None, prefix=None, column="Level", partition=None, uri="archive"):
    """The dry run of an external table with these texts in it."""
    fields = {
        "kind": "storage",
        "columns": (("Timestamp", "datetime"), (column, "string")),
        "connections": connections(uri),
        "dataFormat": "csv",
        "folder": folder,
        "docString": doc,
        "namePrefix": prefix,
    }
    if partition:
        fields["partitions"] = (
            {"name": partition, "type": "datetime", "function": "startofday", "column": "Timestamp", "argument": None},
        )
    ref = Ref("external_table", ("Telemetry", name))
    request = external_table.rehearsal(Change(ref, "create", None, Entity(ref, fields)), Scope())
    return "".join(request.text)


@CLR
@settings(max_examples=150, deadline=None, derandomize=True)
@given(name=HOSTILE, folder=HOSTILE, doc=HOSTILE, prefix=HOSTILE, column=HOSTILE, partition=st.none() | HOSTILE)
def test_what_is_rendered_is_a_dry_run_to_us_and_to_microsoft(name, folder, doc, prefix, column, partition):
    command = rendered(name, folder=folder, doc=doc, prefix=prefix, column=column, partition=partition)
    assert is_rehearsal(command)
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in command):
        return
    verdict = judge(command)
    triples = zip(verdict.tokens, verdict.tokens[1:], verdict.tokens[2:], strict=False)
    said = [(one[1], two[1], three) for one, two, three in triples]
    assert verdict.accepted and said.count(("dryRun", "=", ("bool", True))) == 1, (command, verdict)


PLAIN = rendered("T", folder="f", partition="Day")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dryRun=true", "dryRun=false"),
        ("dryRun=true", "dryRun='true'"),
        ("dryRun=true", "dryRun"),
        ("dryRun=true, ", ""),
        ("dryRun=true", "'dryRun=true'"),
        ("dryRun=true", "/* dryRun=true */ x=1"),
        ("dryRun=true, ", "// dryRun=true, \n"),
        ("dryRun=true", "dryRun=true, dryrun=false"),
        ("dryRun=true", "dryRun=true, DRYRUN=true"),
        ("folder=", "'a' 'b'="),
        ("['T']", "T"),
        ("['T']", "['T' 'U']"),
        ("['T']", "[`T`]"),
        (".create-or-alter", ".create"),
        (".create-or-alter", ".alter"),
        (".create-or-alter", "\n.drop table T; .create-or-alter"),
        ("external table", "table"),
        ("kind = storage", "kind = sql"),
        (" with (", " <| with ("),
        (" with (", " with (x=1) with ("),
        ("pathformat", "path"),
    ],
)
def test_a_changed_dry_run_is_none(old, new):
    text = PLAIN.replace("kind=storage", "kind = storage")
    if old == "pathformat":
        text = text.replace(" dataformat", " pathformat = (Day) dataformat")
        assert is_rehearsal(text)
    assert is_rehearsal(text) and old in text
    assert not is_rehearsal(text.replace(old, new))


@pytest.mark.parametrize(
    "tail", ["; .drop table T", "\n.drop table T", " <| T", " | count", ")", "(", "'", " with (dryRun=true)"]
)
def test_nothing_may_follow_or_be_left_open(tail):
    assert not is_rehearsal(PLAIN + tail)


def test_what_the_plan_sends_is_no_dry_run():
    ref = Ref("external_table", ("Telemetry", "with (dryRun=true)"))
    fields = {
        "kind": "storage",
        "columns": COLUMNS,
        "connections": connections("a"),
        "dataFormat": "csv",
        "docString": "dryRun=true",
    }
    change = Change(ref, "create", None, Entity(ref, fields))
    (step,) = external_table.act([change], World(Scope(), State(), State()))
    assert not any(is_rehearsal("".join(request.text)) for request in step.requests)


def test_no_documented_command_is_one():
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "kusto-commands.json").read_text())
    commands = [one["command"] for one in (vectors if isinstance(vectors, list) else vectors["commands"])]
    assert len(commands) > 300
    assert [one for one in commands if is_rehearsal(one)] == []


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    text=st.text(
        st.sampled_from(
            ".create-or-alter external table['T'](a:int)kind=storage dataformat=csv('x')with(dryRun=true)\"\\`\n "
        ),
        max_size=60,
    )
)
def test_no_text_is_taken_by_accident(text):
    assert not is_rehearsal(text)


URI = "https://t.westeurope.kusto.windows.net"
WIRE = Wire(kusto={URI: "http://127.0.0.1:9"}, arm="http://127.0.0.1:9")


def test_only_a_plane_that_was_asked_to_sends_one():
    scope = Scope(cluster_uri=URI)
    asked = Read("kusto", "Telemetry", PLAIN)
    for read_only in (True, False):
        with pytest.raises(WriteRefused, match="a read may only be"):
            connect(WIRE, scope, read_only=read_only)["kusto"].read(asked)


@pytest.mark.parametrize(
    "text", [".drop table T", PLAIN.replace("dryRun=true", "dryRun=false"), ".alter database D policy caching hot = 1d"]
)
def test_such_a_plane_sends_nothing_else(text):
    plane = rehearsing(WIRE, Scope(cluster_uri=URI))
    with pytest.raises(WriteRefused, match="a read may only be"):
        plane.read(Read("kusto", "Telemetry", text))
    with pytest.raises(WriteRefused, match="read-only"):
        plane.write(Request("kusto", "Telemetry", (PLAIN,)))


def test_a_secret_in_a_dry_run_is_not_in_its_error(monkeypatch):
    secret = "c2VjcmV0LWtleS1vZi1sYWtl"
    command = PLAIN.replace(";impersonate", f";{secret}")
    assert is_rehearsal(command)

    def refuse(self, database, text, *, read_only):
        assert read_only is False
        raise PlaneError(f"cannot parse {text}", code="General_BadRequest", status=400)

    monkeypatch.setattr(kusto.KustoPlane, "_run_one", refuse)
    answer = rehearsing(WIRE, Scope(cluster_uri=URI)).read(Read("kusto", "Telemetry", command))
    assert answer.code == "General_BadRequest" and secret not in answer.message
