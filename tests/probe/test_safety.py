"""What a probe may touch: an empty database, names of its own, and nothing before somebody said yes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.commands import probe as verb
from kxrecon.kql import identifier
from kxrecon.planes import WriteRefused
from kxrecon.probe.catalog import PROBES
from kxrecon.probe.commands import PREFIX, subject
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.run import intent
from tests.probe.world import CLUSTER, EVERYTHING, EXPORTER, ONCALL, STORAGE, answers, documents, probe, use


def test_a_database_in_use_is_refused_and_named(cluster):
    use(cluster)
    before = documents(cluster)
    told, report = probe(cluster, *EVERYTHING, "--yes", database="Telemetry")
    assert (told.code, report, told.writes) == (1, None, ())
    assert "continuous-export Job, external table Out, table Events and 1 more" in told.text
    assert documents(cluster) == before


def test_things_of_others_are_left_alone_if_that_is_said(cluster):
    use(cluster)
    before = documents(cluster)
    told, report = probe(cluster, *EVERYTHING, "--yes", "--not-empty", database="Telemetry")
    found = answers(report)
    assert told.code == 0 and documents(cluster) == before
    taken = ("policy-unset", "policy-system", "policy-usage-order", "external-table-needs-usage")
    assert {found[one] for one in taken} == {"not-asked"}  # the policy is somebody's own
    assert not [one for one in told.writes if one.operation.startswith(".alter")]
    assert found["script-multiline-query"] == "open"  # the policy refuses the export, not the script
    assert found["external-table-impersonate-shown"] == "masked" and found["wire-dynamic"] == "json"


def test_what_an_earlier_run_left_comes_first(cluster):
    cluster.kql(f".create table {PREFIX}Events (A:string)", "Scratch")
    told, _ = probe(cluster, "--yes")
    assert told.code == 1 and f"kxrecon probe {CLUSTER} --database Scratch --clean-up" in told.text and not told.writes
    assert probe(cluster, "--clean-up", "--yes")[0].code == 0
    assert cluster.kql(".show tables", "Scratch") == []


def test_a_principal_keeps_the_role_that_it_has(cluster):
    cluster.kql(f".add database Scratch monitors ('{ONCALL}')", "Scratch")
    told, _ = probe(cluster, "--principal", ONCALL, "--yes")
    assert told.code == 1 and "is a monitor of Scratch already" in told.text and not told.writes


@pytest.mark.parametrize("in_use", [False, True], ids=["empty", "in-use"])
def test_read_only_sends_only_reads(cluster, in_use):
    if in_use:
        use(cluster)
    before = documents(cluster)
    told, report = probe(cluster, "--read-only", database="Telemetry" if in_use else "Scratch")
    found = answers(report)
    assert told.code == 0 and told.requests and not told.writes and documents(cluster) == before
    assert found["policy-column"] == "Policy" and found["export-missing"] == "error"
    known = {"export-identity-shown": "script", "wire-dynamic": "json", "wire-timespan": "clock"}
    assert {name: found[name] for name in known} == (known if in_use else dict.fromkeys(known, "open"))
    assert found["export-cursor-query"] == "not-asked" and report["read_only"]


def test_nothing_is_written_before_somebody_said_yes(cluster, monkeypatch):
    told, report = probe(cluster)
    assert (told.code, report, told.writes) == (1, None, ()) and "--yes, or --read-only" in told.text
    monkeypatch.setattr(verb, "on_terminal", lambda: True)
    monkeypatch.setattr(verb, "confirm", lambda question: False)
    told, report = probe(cluster, *EVERYTHING)
    assert (told.code, report, told.writes) == (1, None, ()) and "nothing was done" in told.text
    said = " ".join(told.text.split())
    for what in ("Events, Others", "CursorQuery, CursorInterval", ONCALL, "Reader at /subscriptions/", STORAGE, PREFIX):
        assert what in said
    monkeypatch.setattr(verb, "confirm", lambda question: True)
    assert probe(cluster)[1]["found"]


def test_what_was_announced_is_what_is_made(cluster):
    given = verb._given(verb_options(*EVERYTHING))
    announced = {kind: {PREFIX + name for name in names} for kind, names in intent(given).items()}
    told, _ = probe(cluster, *EVERYTHING, "--yes")
    about = [subject(one.text, "Scratch") for one in told.writes if one.service.startswith("https")]
    assert None not in about
    for kind in ("table", "function", "external table", "continuous-export"):
        assert {one.name for one in about if one.kind == kind} == announced[kind]
    assert {one.kind for one in about} - announced.keys() == {"policy managed_identity"}


def verb_options(*words):
    return cli.parser("probe").parse_args(["probe", CLUSTER, "--database", "Scratch", *words])


@pytest.mark.parametrize(
    "text",
    [
        ".drop table ['Events']",
        ".drop table ['KxreconProbe']",
        ".drop table KxreconProbeEvents",
        ".drop tables (['KxreconProbeEvents'])",
        ".drop continuous-export ['Job']",
        ".alter cluster policy managed_identity ```[]```",
        ".alter database ['Other'] policy managed_identity ```[]```",
        ".set database ['Scratch'] monitors none",
        ".add database ['Scratch'] admins (@'aadapp=x')",
        ".execute database script <|\n.drop table ['Events']",
        "Events | take 1",
    ],
)
def test_what_is_not_its_own_is_not_sent(text):
    assert subject(text, "Scratch") is None
    with pytest.raises(WriteRefused):
        Conversation({}, "Scratch").say(text)


def test_a_database_of_any_name_is_named_exactly():
    for name in ("it's", "a\\'] policy", "Scratch"):
        text = f".delete database {identifier(name)} policy managed_identity"
        assert subject(text, name) is not None and subject(text, name + "x") is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--storage", f"{STORAGE}?sig=abc"), "without any credentials"),
        (("--storage", f"{STORAGE};key"), "without any credentials"),
        (("--storage", "https://example.org/x"), "--storage takes"),
        (("--identity", "exporter"), "object id"),
        (("--principal", "somebody@contoso.com"), "aadapp=ID;TENANT"),
        (("--principal", "aadapp=x') 'y"), "aadapp=ID;TENANT"),
        (("--role-at", "contosolake"), "/subscriptions/"),
        (("--read-only", "--storage", STORAGE), "makes nothing"),
        (("--wait", "soon"), "seconds"),
        (("--read-only", "--clean-up"), "not allowed with"),
    ],
)
def test_a_wrong_command_line_is_said(cluster, words, said):
    told, report = probe(cluster, *words, "--yes")
    assert told.code == 1 and said in told.text and report is None and not told.requests


def test_a_database_that_cannot_be_seen_is_no_answer(cluster):
    for words in (("--read-only",), ("--yes",), ("--clean-up", "--yes")):
        told, report = probe(cluster, *words, database="Nowhere")
        assert told.code == 1 and report is None and "Nowhere" in told.text


def test_the_page_has_every_question():
    page = (Path(__file__).parents[2] / "docs" / "probe.md").read_text("utf-8")
    rows = [f"| `{one.id}` | {one.question} | {'' if one.when == 'own' else 'yes'} |" for one in PROBES]
    assert [line for line in page.splitlines() if line.startswith("| `") and "?" in line] == rows
    assert all(
        option in page for option in ("--storage", "--identity", "--principal", "--role-at", "--record", "--wait")
    )


def test_no_probe_has_the_name_of_another():
    assert len({one.id for one in PROBES}) == len(PROBES)
    assert all(one.question.endswith("?") or one.question.endswith(")") for one in PROBES)


def test_an_interrupt_of_a_read_only_run_leaves_a_whole_report(cluster, monkeypatch):
    original = Conversation.say

    def say(self, what):
        if "policy merge" in str(what):
            raise KeyboardInterrupt
        return original(self, what)

    monkeypatch.setattr(Conversation, "say", say)
    told, report = probe(cluster, "--read-only")
    found = answers(report)
    assert told.code == 130 and [one["id"] for one in report["found"]] == [one.id for one in PROBES]
    assert found["policy-column"] == "Policy" and found["wire-bool"] == "not-asked"


def test_no_secret_and_no_id_in_what_is_sent_on(cluster):
    told, report = probe(cluster, *EVERYTHING, "--yes", "--verbose")
    text = json.dumps(report) + (cluster.folder / ".kxrecon" / "probe.md").read_text("utf-8")
    evidence = json.dumps([one["seen"] for one in report["found"]])
    assert "aW52ZW50ZWQ" not in text + told.text and "sig=" not in text.replace("sig=***", "")
    assert EXPORTER not in evidence and "<id-1>" in evidence
