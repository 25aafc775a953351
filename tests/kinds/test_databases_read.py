"""Which databases a query reads is told in every written form, or it is said that it cannot be told."""

from __future__ import annotations

import pytest

from kxrecon.model import HIDDEN, Entity, Failure, Gap, Hidden, Ref, State
from kxrecon.surroundings import Stored, reads

G = {("T", "G"): 'Events | lookup database("Ref").R on L'}
NESTED = {("Ref2", "F"): "H", ("Ref2", "H"): "database('Ref3').Z"}


def told(query, functions=None, gaps=(), **attributes):
    entities = {
        Ref("function", name): Entity(Ref("function", name), {"body": body}) for name, body in (functions or {}).items()
    }
    export = Entity(Ref("continuous_export", ("T", "E")), {"query": query}, attributes=attributes)
    found = reads(export, Stored(State(entities, gaps=gaps), cluster="https://c.westeurope.kusto.windows.net"))
    return sorted(found.databases - {"T"}), found.open


@pytest.mark.parametrize(
    "query",
    [
        "G()",
        "G",
        "['G']()",
        '["G"]',
        "G\n| take 1",
        "union Events, G",
        "Events | join kind=inner (G) on L",
        "let x = G; x",
    ]
    + [
        "union isfuzzy=true G, Events",
        "database('T').G",
        "cluster('c.westeurope').database('T').G()",
        "Events | invoke G()",
    ]
    + ["print x = toscalar(G)", "// G()\nG"],
)
def test_a_function_is_followed_in_every_form(query):
    databases, unknown = told(query, G)
    assert (databases, unknown) == (["Ref"], ())


@pytest.mark.parametrize(
    "query",
    ["Events | where L == 'G'", "let G = Events; G", "database('Other').G | take 1", "Events | project x.G, G = 1"],
)
def test_what_only_looks_like_it_is_not(query):
    assert "Ref" not in told(query, G)[0]
    assert told(query, G)[1] == ()


@pytest.mark.parametrize("query", ["database('Ref2').F()", "database('Ref2').F", "database(\"Ref2\").['F']()"])
def test_functions_of_other_databases_are_followed(query):
    assert told(query, NESTED) == (["Ref2", "Ref3"], ())


@pytest.mark.parametrize(
    ("query", "databases"),
    [
        ("let d = 'Ref'; database(d).R", ["Ref"]),
        ("let d='Ref'; let f = (d:string) { database(d).R }; f('x')", None),
        ("let d = tolower('Ref'); database(d).R", None),
        ("database(strcat('R', 'ef')).R", None),
        ("union database('R*').R", None),
        ("alias database r = cluster('c').database('x'); database('r').T", None),
        ("cluster('elsewhere').database('x').T", []),
        ("cluster('c.westeurope').database('x').T", ["x"]),
        ("database(h'***').T", None),
        (HIDDEN, None),
        (Hidden("database('Ref').R | where s == h'***'"), ["Ref"]),
    ],
)
def test_a_name_is_told_or_said_to_be_unknown(query, databases):
    found, unknown = told(query)
    assert bool(unknown) is (databases is None)
    assert databases is None or found == databases


def test_what_could_not_be_read_is_unknown():
    gaps = (Gap("function", ("Ref",), Failure("denied", "no")), Gap("function", ("T",), Failure("denied", "no")))
    assert told("database('Ref').F()", gaps=gaps)[1] == ("what function 'F' of Ref reads, which could not be read",)
    assert told("F() | take 1", gaps=gaps)[1] == ("what function 'F' of T reads, which could not be read",)
    assert told("Events | where tolower(L) == 'x'", gaps=gaps)[1] == ()
    assert told("F", {("T", "F"): HIDDEN})[1] == ("what function 'F' of T reads, which could not be read",)


def test_a_word_that_may_be_a_column_is_unknown_only_where_it_matters():
    assert told("Events | project G", G)[1] != ()
    assert told("Events | project G", {("T", "G"): "Events"}) == ([], ())
    assert told("database('Ref').R | project G", G) == (["Ref"], ())


def test_what_is_stated_wins():
    assert told("database(x).R", reads=("A",)) == (["A"], ())
