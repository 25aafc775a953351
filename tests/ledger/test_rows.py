"""What rows add up to: the last one of an entity counts, in whatever order they come; damage is no proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.ledger.rows import Damage, Row, after, continued, folded, instant, row_of
from kxrecon.model import Ref

calm = settings(deadline=None, derandomize=True, max_examples=150, database=None)
START = datetime(2026, 11, 20, tzinfo=UTC)


def row(second: int, name: str = "T", event: str = "wrote", spec: str = "s", cluster: str = "c", **body) -> Row:
    return Row(instant(START + timedelta(seconds=second)), cluster, spec, event, "table", ("D", name), "p", "w", body)


def entry(ledger, name="T", spec="s"):
    return ledger.entries.get((Ref("table", ("D", name)), spec))


rows = st.lists(
    st.builds(
        row,
        st.integers(0, 10**6),
        st.sampled_from(["T", "U", "ü 'x'", "\u2028"]),
        st.sampled_from(["wrote", "saw", "gone", "tried", "void"]),
        st.sampled_from(["s", "t"]),
    ),
    unique_by=lambda one: one.at,
    max_size=12,
)


@calm
@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter(found, order):
    shuffled = list(found)
    order.shuffle(shuffled)
    assert folded(shuffled, "c") == folded(found, "c")


@calm
@given(rows)
def test_a_row_is_what_its_cells_say(found):
    assert [row_of(one.cells()) for one in found] == found
    assert all(cell.isascii() for one in found for cell in one.cells())


@calm
@given(rows, rows)
def test_rows_behind_a_ledger_are_rows_behind_its_rows(one, other):
    latest = max((row.at for row in one), default="")
    later = [Row(after(latest, datetime.fromisoformat(row.at) + timedelta(days=30)), *_rest(row)) for row in other]
    assert continued(folded(one, "c"), later, "c").entries == folded([*one, *later], "c").entries


def _rest(one: Row):
    return one.cluster, one.spec, one.event, one.kind, one.name, one.plan, one.who, one.body


def test_each_spec_and_each_cluster_for_itself():
    ledger = folded([row(1), row(2, spec="t", event="gone"), row(3, cluster="other", event="gone")], "c")
    assert entry(ledger).event == "wrote" and entry(ledger, spec="t").event == "gone"
    assert ledger.newest == instant(START + timedelta(seconds=2))


def test_void_is_as_if_there_never_was_a_row():
    assert entry(folded([row(1), row(2, event="void")], "c")) is None
    assert entry(folded([row(1), row(2, event="void"), row(3, event="saw")], "c")).event == "saw"


def test_what_came_before_damage_is_no_proof_and_what_came_after_is():
    ledger = folded([row(1, "A"), Damage("line 2"), row(3, "B")], "c")
    assert not entry(ledger, "A").sound and entry(ledger, "B").sound and ledger.damage == ("line 2",)


def test_an_event_of_a_later_version_is_known_to_be_unknown():
    ledger = folded([row(1), row(2, event="rotated")], "c")
    assert not entry(ledger).sound and not entry(ledger).stands


def test_the_next_row_never_goes_behind_what_was_read():
    ahead = instant(START + timedelta(hours=1))
    assert after(ahead, START) > ahead and after("", START) == instant(START)
    assert after(instant(START), START + timedelta(seconds=1)) == instant(START + timedelta(seconds=1))


def test_bodies_of_any_shape_are_no_trouble():
    odd = row(1, seal=3, written=["x"], shown="y", owns="yes", journal=None, since=7)
    found = entry(folded([odd], "c"))
    assert (found.seal, dict(found.written), dict(found.shown), found.owns, found.journal) == ("", {}, {}, False, "")


def test_a_run_that_was_killed_did_not_end():
    began = Row(instant(START), "c", "s", "began", "", ("r1",), "p", "ada", {"actions": 3})
    ended = Row(
        instant(START + timedelta(seconds=9)), "c", "s", "ended", "", ("r0",), "p", "ada", {"result": "converged"}
    )
    runs = folded([began, ended], "c").runs
    assert [(run.id, run.result, run.ended is None) for run in runs] == [
        ("r1", "did not end", True),
        ("r0", "converged", False),
    ]
    assert not folded([began, ended], "c").entries
