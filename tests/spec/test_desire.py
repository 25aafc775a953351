"""The kinds' turn: which entries they get, what contradicts, and references that lead nowhere."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from kxrecon import kinds
from kxrecon.errors import Problem
from kxrecon.kinds import kind
from kxrecon.model import Entity, Ref, State
from kxrecon.scope import Scope
from kxrecon.spec import desire as module
from kxrecon.spec import load
from tests.spec.conftest import FRAME, loaded, problems

SPECS = Path(__file__).resolve().parents[2] / "specs"


class Fake:
    """A kind with two sections, one entity for each word of an entry."""

    SECTION = ("rooms", "*", "lamps", "*")
    SECTIONS = (SECTION, ("lamps", "*"))

    @staticmethod
    def desire(name, doc, scope):
        path = ("rooms", name[0], "lamps", name[-1]) if len(name) > 1 else ("lamps", *name)
        if doc == "broken":
            yield Problem("broken", path)
        else:
            yield Entity(Ref("lamp", (name[-1],)), {"colour": doc}, path=path)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(module, "NAMES", {"lamp": "kusto"})
    monkeypatch.setattr(module, "kind", lambda name: Fake)


def test_every_entry_of_every_section_reaches_the_kind(fake):
    document = {"rooms": {"a": {"lamps": {"x": "red"}}, "b": {}, "c": None}, "lamps": {"y": "blue", "z": "broken"}}
    state, found = module.desire(document, Scope())
    assert {ref.name: entity.fields["colour"] for ref, entity in state.entities.items()} == {
        ("x",): "red",
        ("y",): "blue",
    }
    assert [problem.path for problem in found] == [("lamps", "z")]


def test_saying_the_same_twice_is_fine_and_something_else_is_not(fake):
    same, none = module.desire({"rooms": {"a": {"lamps": {"x": "red"}}}, "lamps": {"x": "red"}}, Scope())
    assert (len(same.entities), none) == (1, [])
    _, (problem,) = module.desire({"rooms": {"a": {"lamps": {"x": "red"}}}, "lamps": {"x": "blue"}}, Scope())
    assert "said twice, differently" in problem.message
    assert problem.remedy == "the other one is rooms/a/lamps/x"


def test_a_table_of_another_tool_is_only_noted(write):
    write(base=FRAME.replace("over: [Events]", "over: [Events, Event]"))
    (note,) = loaded("base").notes
    assert str(note).startswith("base.yaml:12:")
    assert note.severity == "note"
    assert note.remedy == "did you mean 'Events'?"


def test_what_names_a_broken_entry_is_not_dangling(write):
    write(base=FRAME.replace("dataFormat: parquet", "dataFormat: avro"))
    assert len(problems("base")) == 1


def test_only_the_kinds_asked_for_references_name_spec_fields():
    """The loader asks no others, which saves it a third of its time on functions."""
    for name in ("seed", "prod"):
        for entity in load([str(SPECS / f"{name}.yaml")], environ={}).desired.entities.values():
            named = [need.field is not None for need in kind(entity.ref.kind).needs(entity)]
            assert not any(named) or entity.ref.kind == module._NAMING
            assert named == sorted(named, reverse=True), f"{entity.ref}: needs that name a field come first"


def test_loading_leaves_the_collector_as_it_was(write):
    write(base=FRAME)
    assert gc.isenabled()
    loaded("base")
    assert gc.isenabled()


def test_the_frame_of_a_spec_is_its_scope(write):
    write(
        base=FRAME.replace("kusto.windows.net", "kusto.windows.net/")
        + "manage: { sql: check }\nprune: { grants: owned }\nallow: [{ hazard: drops-data, reason: why }]\n"
    )
    spec = loaded("base")
    assert spec.scope.cluster_uri == "https://telemetry.westeurope.kusto.windows.net"
    assert spec.scope.identities == {"system": ""}
    assert spec.scope.databases == ("Telemetry",)
    assert spec.scope.manages("sql") == "check"
    assert spec.scope.prune == {"grants": "owned"}
    assert ("databases", "Telemetry", "tables") in spec.scope.declared
    assert spec.allow[0].hazard == "drops-data"


def test_without_any_database_a_spec_is_empty_but_valid(write):
    write(base="version: 1\n")
    spec = loaded("base")
    assert spec.desired == State()
    assert spec.scope.databases == ()


def test_every_kind_is_found():
    assert all(plane == kind(name).PLANE for name, plane in kinds.NAMES.items())
