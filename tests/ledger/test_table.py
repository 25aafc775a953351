"""The ledger's table: commands that Kusto's grammar accepts, of a bearable size; and a refusal is no absence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.errors import LedgerError, PlaneError, Unanswered
from kxrecon.ledger.rows import COLUMNS, Damage
from kxrecon.ledger.table import LedgerTable
from kxrecon.model import Failure, Read, Table
from kxrecon.scope import LEDGER
from tests.witness.grammar.names import texts
from tests.witness.judge import CLR, judge

from .test_rows import row

calm = settings(deadline=None, derandomize=True, max_examples=60, database=None)


EMPTY = Table(tuple(COLUMNS), [])


class Plane:
    """Answers what it is given; keeps what is sent."""

    def __init__(self, answer=EMPTY, tables=(), losses=()):
        self.answer, self.tables, self.losses = answer, tables, list(losses)
        self.asked, self.sent = [], []

    def read(self, read: Read):
        self.asked.append(read.text)
        if read.text.startswith(".show tables"):
            return Table(("TableName",), [[one] for one in self.tables])
        return self.answer

    def write(self, request):
        text = "".join(map(str, request.text))
        self.sent.append(text)
        if self.losses:
            raise self.losses.pop(0)
        return {}


MISSING = Failure("failed", "SEM0100: Failed to resolve table or column expression named 'KxreconLedger'")


def table(plane: Plane) -> LedgerTable:
    return LedgerTable("Ops", plane, "https://c")


@CLR
@calm
@given(
    st.lists(st.builds(row, st.integers(0, 9), texts, spec=texts, cluster=texts, note=texts), min_size=1, max_size=3)
)
def test_the_grammar_accepts_what_is_sent_whatever_a_row_holds(rows):
    plane = Plane(MISSING)
    ledger = table(plane)
    ledger.read()
    ledger.append(rows)
    assert [one.split()[0] for one in plane.sent] == [".create-merge", ".append"]
    for text in plane.sent:
        verdict = judge(text)
        assert verdict.accepted, (text, verdict.syntax)


@CLR
def test_the_grammar_accepts_what_is_asked():
    plane = Plane()
    ledger = table(plane)
    ledger.read()
    ledger.runs()
    for text in plane.asked:
        assert judge(text).syntax == (), text


def test_it_is_made_by_the_first_append_and_by_no_reading():
    plane = Plane(MISSING)
    ledger = table(plane)
    assert ledger.read() == [] and ledger.runs() == [] and plane.sent == []
    ledger.append([])
    assert plane.sent == []
    ledger.append([row(1)])
    ledger.append([row(2)])
    assert [one.split()[0] for one in plane.sent] == [".create-merge", ".append", ".append"]


def test_a_refusal_is_no_absence():
    with pytest.raises(LedgerError, match="denied: not you"):
        table(Plane(Failure("denied", "not you"), tables=[LEDGER])).read()
    with pytest.raises(LedgerError, match="cannot be read"):
        table(Plane(MISSING, tables=[LEDGER])).read()  # a table of that name, but of other columns


def test_many_rows_are_several_commands():
    plane = Plane()
    rows = [row(number, "x" * 1000) for number in range(1000)]
    table(plane).append(rows)
    assert len(plane.sent) > 3 and all(len(one) < 250_000 for one in plane.sent)
    assert sum(one.count("datetime(") for one in plane.sent) == 1000
    assert plane.sent[0].index("datetime(2026-11-20T00:00:00") < plane.sent[0].index("datetime(2026-11-20T00:00:01")


def test_a_lost_answer_is_sent_again_and_a_refusal_is_not():
    plane = Plane(losses=[Unanswered("gone"), Unanswered("gone")])
    table(plane).append([row(1)])
    assert len(plane.sent) == 3
    plane = Plane(losses=[Unanswered("gone")] * 3)
    with pytest.raises(LedgerError, match="cannot be written: gone"):
        table(plane).append([row(1)])
    plane = Plane(losses=[PlaneError("forbidden")])
    with pytest.raises(LedgerError, match="forbidden"):
        table(plane).append([row(1)])
    assert len(plane.sent) == 1


def test_rows_come_back_as_they_went_and_strange_ones_are_damage():
    cells = [list(one.cells()) for one in (row(1, "ü", seal="x"), row(2))]
    cells[0][0] = "2026-11-20T00:00:01.0000000Z"  # as Kusto writes instants
    broken = [*cells[1][:-1], "{"]
    shuffled = [list(reversed(one)) for one in (*cells, broken)]
    found = table(Plane(Table(tuple(reversed(tuple(COLUMNS))), shuffled))).read()
    assert found == [row(1, "ü", seal="x"), row(2), Damage("row 3")]
    assert table(Plane(Table(("Other",), [["x"]]))).read() == [Damage("row 1")]
