"""Every command and read that any kind emits in its case files is a command to Microsoft's grammar."""

from __future__ import annotations

import re

import pytest

from kxrecon.kinds import NAMES
from kxrecon.kinds.kusto import _journal, _reads
from kxrecon.leaves import bind
from kxrecon.model import Read
from tests.kinds.case import files, load, run
from tests.witness.grammar.exceptions import TEXTS
from tests.witness.grammar.names import NASTY
from tests.witness.grammar.watch import TITLE
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR
GUID = "00000000-0000-4000-8000-00000000000a"


class _Secrets(dict):
    """Every secret has a value, with a quote in it."""

    def __missing__(self, name):
        return f"s3cr'et-{name}"

    def __contains__(self, name):
        return True


def bound(request) -> str:
    return bind(request, lambda leaf: GUID, _Secrets()).text[0]


KUSTO = [path for path in files() if NAMES[path.parent.name] == "kusto"]


@pytest.mark.parametrize("path", KUSTO, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_requests_and_reads_of_cases_are_commands(path):
    ran = run(load(path))
    texts = [bound(request) for request in ran.requests] + [read.text for read in ran.reads]
    for text in texts:
        verdict = judge(text)
        excused = any(re.search(pattern, text) for pattern in TEXTS)
        assert verdict.accepted != excused, (text, verdict.syntax, verdict.commands)
    tally(TITLE).count("commands and reads of the kinds' case files judged", len(texts))


DATABASE_READS = (
    _reads.schema_json,
    _reads.csl_script,
    _reads.external_tables,
    _reads.continuous_exports,
    _journal.journal,
    _reads.functions,
    _reads.principals,
    _reads.database_policy,
)
TABLE_POLICIES = ("ingestiontime", "restricted_view_access", "row_level_security")


@pytest.mark.parametrize("read", DATABASE_READS, ids=lambda read: read.__name__)
def test_reads_name_any_database(read):
    for name in NASTY:
        asked: Read = read(name)
        verdict = judge(asked.text)
        assert verdict.accepted, (asked.text, verdict.syntax)
        if "show database" in asked.text:
            assert verdict.of("name")[0] == name


@pytest.mark.parametrize("policy", TABLE_POLICIES)
def test_reads_of_the_policies_of_every_table(policy):
    verdict = judge(_reads.table_policy("D", policy).text, {"D": {"T": "(a:int)"}})
    assert verdict.accepted
    assert {name for name, _ in verdict.columns} >= {"PolicyName", "EntityName", "Policy"}


def test_the_newest_file_of_any_export_can_be_asked_for():
    for name in NASTY:
        verdict = judge(_reads.newest_artifact("D", name).text)
        assert verdict.accepted, (name, verdict.syntax)


# What observe() looks for, against what the grammar says that the command answers.
EXPECTED_COLUMNS = {
    _reads.schema_json: {"DatabaseSchema"},
    _reads.csl_script: {"DatabaseSchemaScript"},
    _reads.external_tables: {
        *("TableName", "TableType", "Folder", "DocString", "Properties"),
        *("ConnectionStrings", "Partitions", "PathFormat"),
    },
    _reads.continuous_exports: {
        *("Name", "ExternalTableName", "Query", "ForcedLatency", "IntervalBetweenRuns", "CursorScopedTables"),
        *("ExportProperties", "LastRunTime", "StartCursor", "IsDisabled", "LastRunResult", "ExportedTo", "IsRunning"),
    },
    _reads.functions: {"Name", "Parameters", "Body", "Folder", "DocString"},
    _reads.principals: {"Role", "PrincipalType", "PrincipalDisplayName", "PrincipalObjectId", "PrincipalFQN", "Notes"},
    _reads.database_policy: {"PolicyName", "EntityName", "Policy"},
}


@pytest.mark.parametrize("read", EXPECTED_COLUMNS, ids=lambda read: read.__name__)
def test_columns_that_kinds_read_are_answered(read):
    verdict = judge(read("D").text, {"D": {"T": "(a:int)"}})
    assert {name for name, _ in verdict.columns} >= EXPECTED_COLUMNS[read]


def test_cluster_policy_is_a_command():
    assert judge(_reads.cluster_policy().text).accepted


def test_the_judge_rejects():
    for text in (
        ".foo",
        ".show continuous-exports now",
        ".drop external table",
        "T | take 1",
        ".show database D schema as",
    ):
        assert not judge(text).accepted, text
