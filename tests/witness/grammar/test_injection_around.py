"""The same for what stands around exports: tables, functions, roles, policies, and commands that no kind makes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kxrecon import cursors, kql
from kxrecon.kinds.kusto import _journal, _reads
from kxrecon.kinds.kusto.function import canonical_parameters
from kxrecon.model import Change, Entity, FieldChange, Position, Ref, State, Unknown
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored
from kxrecon.verify import blame, callouts, reads
from tests.witness.grammar.asked import (
    GUID,
    SCOPE,
    TITLE,
    calm,
    commands,
    listed,
    properties,
    read_back,
    typed,
    words,
)
from tests.witness.grammar.names import names, texts
from tests.witness.grammar.test_injection import columns, one_line, optional_text
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR
FLAGS = {"folder", "docstring", "view"}  # properties of functions: now a name to the grammar, now a word


def delete(kind_name: str, *name: str, **attributes: str) -> Change:
    ref = Ref(kind_name, name)
    return Change(ref, "delete", Entity(ref, {}, attributes=attributes), None)


# ---- tables and functions


@calm
@given(names, columns, optional_text, optional_text, st.booleans())
def test_table(name, pairs, folder, doc_string, enabled):
    ref = Ref("table", ("D", name))
    fields = {"columns": pairs, "folder": folder, "docString": doc_string, "ingestionTimePolicy": True}
    create, policy = commands(Change(ref, "create", None, Entity(ref, fields)))
    given_properties = {key: value for key, value in (("folder", folder), ("docstring", doc_string)) if value}
    assert read_back(create) == [
        *words(". create-merge table"),
        *[("name", name), *listed(typed(pairs)), *properties(given_properties, "word")],
    ]
    assert read_back(policy) == [
        *words(". alter table"),
        *[("name", name), *words("policy ingestiontime true")],
    ]


@calm
@given(names, columns, names, texts, texts)
def test_table_altered_and_dropped(name, pairs, more, folder, doc_string):
    ref = Ref("table", ("D", name))
    after = {
        "columns": (*pairs, *([(more, "long")] if more not in dict(pairs) else [])),
        "folder": folder,
        "docString": doc_string,
    }
    before = {"columns": pairs, "folder": None, "docString": None, "ingestionTimePolicy": True}
    found = commands(Change(ref, "update", Entity(ref, before), Entity(ref, {**before, **after})))
    said = [read_back(text) for text in found]
    expected = [
        [*words(". create-merge table"), ("name", name), *listed(typed(after["columns"]))],
        [*words(". alter table"), ("name", name), *words("folder"), ("string", folder)],
        [*words(". alter table"), ("name", name), *words("docstring"), ("string", doc_string)],
    ]
    assert said == expected[len(after["columns"]) == len(pairs) :]
    [drop] = commands(delete("table", "D", name))
    assert read_back(drop) == [*words(". drop table"), ("name", name), *words("ifexists")]


@calm
@given(names, names, optional_text, optional_text, st.booleans(), one_line)
def test_function(name, parameter, folder, doc_string, view, text):
    body = f"T | where A == {kql.string(text)} // {text}"
    assume(not FLAGS & {name, parameter})
    fields = {
        "parameters": canonical_parameters(f"({kql.identifier(parameter)}:string)"),
        "body": body,
        "folder": folder,
        "docString": doc_string,
        "view": view,
    }
    ref = Ref("function", ("D", name))
    [create] = commands(Change(ref, "create", None, Entity(ref, fields)))
    found = [
        ("word", value) if role == "name" and value in FLAGS else (role, value) for role, value in read_back(create)
    ]
    given_properties = {"folder": folder, "docstring": doc_string, "view": view}
    head = [
        *words(". create-or-alter function"),
        *properties({key: value for key, value in given_properties.items() if value is not None}, "word"),
        *[("name", name), *listed([[("name", parameter), *words(": string")]])],
    ]
    assert found[: len(head)] == head
    rest = found[len(head) :]
    assert (rest[0], rest[-1]) == (("word", "{"), ("word", "}"))
    assert [value for role, value in rest if role == "string"] == [text]


@calm
@given(names, texts)
def test_function_altered_and_dropped(name, folder):
    ref = Ref("function", ("D", name))
    fields = {"parameters": "()", "body": "T", "folder": None}
    change = Change(ref, "update", Entity(ref, fields), Entity(ref, {**fields, "folder": folder}))
    [alter] = commands(change)
    assert read_back(alter) == [*words(". alter function"), ("name", name), *words("folder"), ("string", folder)]
    [drop] = commands(delete("function", "D", name))
    assert read_back(drop) == [*words(". drop function"), ("name", name), *words("ifexists")]


# ---- exports: what is not a creation


@calm
@given(names, st.booleans())
def test_export_switched(name, disabled):
    ref = Ref("continuous_export", ("D", name))
    fields = {"to": "X", "over": None, "query": "T", "isDisabled": disabled}
    before = Entity(ref, {**fields, "isDisabled": not disabled})
    changed = (FieldChange("isDisabled", not disabled, disabled),)
    [text] = commands(Change(ref, "update", before, Entity(ref, fields), changed))
    assert read_back(text) == [*words(f". {'disable' if disabled else 'enable'} continuous-export"), ("name", name)]


@calm
@given(names, names, one_line, st.sampled_from(("", "638700000000000000")))
def test_bounded_export(table, to, text, cursor):
    query = f"{kql.identifier(table)} | where A == {kql.string(text)}"
    export = Entity(Ref("continuous_export", ("D", "E")), {"to": to, "over": (table,), "query": query})
    position = Position(export.ref, cursor or "1", None if cursor else "2026-01-01T00:00:00.0000000Z")
    command = cursors.repair(export, position, replace(position, start_cursor="2"), State())
    lower = f'cursor_after("{cursor}")' if cursor else "ingestion_time() > datetime(2026-01-01T00:00:00.0000000Z)"
    bound = f' {kql.identifier(table)} | where {lower} and cursor_before_or_at("2")'
    assert read_back(command) == [
        *words(". export async to table"),
        ("name", to),
        ("query", bound + query[len(kql.identifier(table)) :]),
    ]
    late = cursors.backfill(export, (), Unknown(export.ref, "startCursor"), Stored())
    assert late is not None and [part for part in late if not isinstance(part, str)]


# ---- roles and policies


@calm
@given(names, st.sampled_from(("admins", "viewers", "unrestrictedviewers")), one_line, one_line, st.booleans())
def test_database_role(database, role, principal, mark, gone):
    fqn = f"aadgroup={principal};contoso.com"
    ref = Ref("database_role", (database, role, "team"))
    scope = Scope(databases=(database,), principals={"team": fqn})
    entity = Entity(ref, {}, owner=mark)
    change = Change(ref, "delete", entity, None) if gone else Change(ref, "create", None, entity)
    others = State({Ref("database_role", (database, role, "other")): entity})
    [text] = commands(change, scope=scope, desired=others)
    assert read_back(text) == [
        *words(f". {'drop' if gone else 'add'} database"),
        *[("name", database), *words(role), *listed([[("string", fqn)]])],
        *([("string", mark)] if mark and not gone else []),
    ]


@calm
@given(names, st.sampled_from(("system", "exporter", GUID)), st.sampled_from(("create", "delete", "last")))
def test_managed_identity_policy(database, identity, how):
    ref = Ref("managed_identity_policy", ("database", database, identity, "AutomatedFlows"))
    stays = Entity(Ref("managed_identity_policy", ("database", database, GUID, "ExternalTable")), {})
    entity = Entity(ref, {})
    if how == "create":
        [text] = commands(Change(ref, "create", None, entity))
        verb, left = "alter-merge", [{"ObjectId": GUID if identity == "exporter" else identity}]
    else:
        desired = State() if how == "last" else State({stays.ref: stays})
        [text] = commands(Change(ref, "delete", entity, None), desired=desired)
        verb, left = ("delete", []) if how == "last" else ("alter", [{"ObjectId": GUID}])
    found = read_back(text)
    head = [*words(f". {verb} database"), ("name", database), *words("policy managed_identity")]
    assert found[: len(head)] == head
    policies = [json.loads(value) for role, value in found[len(head) :] if role == "string"]
    assert [[item["ObjectId"] for item in policy] for policy in policies] == (
        [[item["ObjectId"] for item in left]] if left else []
    )


# ---- questions, and commands that verify tells a person to send

ASKED = {
    "schema as json": _reads.schema_json,
    "schema as csl script": _reads.csl_script,
    "principals": _reads.principals,
    "principal roles": _reads.own_roles,
    "policy managed_identity": _reads.database_policy,
    "journal": blame.journal,
    "journal, exports only": _journal.journal,
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@calm
@given(names)
def test_questions_about_a_database(ask, name):
    verdict = judge(ask(name).text)
    assert verdict.accepted, (name, verdict.syntax)
    assert verdict.of("name")[0] == name
    tally(TITLE).count("questions read back as they were meant")


@calm
@given(names)
def test_questions_about_an_export(name):
    expected = [*words(". show continuous-export"), ("name", name), *words("failures")]
    assert read_back(_reads.export_failures("D", name).text) == expected
    assert read_back(reads.failures(Ref("continuous_export", ("D", name))).text) == expected
    files = read_back(_reads.newest_artifact("D", name).text)
    assert files[: len(expected)] == [*words(". show continuous-export"), ("name", name), *words("exported-artifacts")]


@calm
@given(one_line)
def test_a_callout_rule(pattern):
    fix = callouts._allow("sql", pattern)
    found = read_back(fix.text)
    assert found[:-1] == words(". alter-merge cluster policy callout")
    assert json.loads(found[-1][1]) == [{"CalloutType": "sql", "CalloutUriRegex": pattern, "CanCall": True}]


def test_questions_that_name_nothing():
    for text in (
        *(read.text for read in (_reads.external_tables("D"), _reads.continuous_exports("D"), _reads.functions("D"))),
        *(_reads.table_policy("D", policy).text for policy in reads.TABLE_POLICIES),
        *(reads.CALLOUT.text, reads.DATABASES.text, _reads.cluster_policy().text),
    ):
        read_back(text)
    assert SCOPE.databases == ("D",)
