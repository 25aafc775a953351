"""The test kit itself: what it counts, what it refuses, and the example repository in docs/ as its users run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.store import Store
from kxrecon.testing import Event, Refused, Rule, open_sandbox

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "testing-your-specs"
SPEC = "specs/prod.yaml"


@pytest.fixture
def shop(tmp_path):
    with open_sandbox(tmp_path, root=EXAMPLE) as sandbox:
        yield sandbox


def test_the_example_repository_is_green_through_the_installed_plugin():
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(command, cwd=EXAMPLE, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout, done.stdout


def test_its_ten_lines_are_those_of_the_pages():
    test = (EXAMPLE / "tests" / "test_specs.py").read_text()
    start = test.index("def test_prod_converges")
    lines = test[start : test.index("\n\n\n", start)]
    for page in (ROOT / "docs" / "test-kit.md", EXAMPLE / "README.md"):
        assert lines in page.read_text(), page
    assert len(lines.splitlines()) <= 10


def test_the_plugin_imports_nothing_before_its_fixture_is_used():
    code = "import sys, kxrecon.pytest_plugin; print([m for m in sys.modules if m.startswith(('kxrecon.', 'azure'))])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['kxrecon.pytest_plugin']"


def test_what_a_plan_says_and_what_it_sent(shop):
    plan = shop.plan(SPEC)
    assert plan.code == 0 and not plan.is_empty
    assert "create continuous_export Shop/ArchiveOrders" in plan.actions
    assert plan.requests and not plan.writes
    assert {one.service for one in plan.requests} >= {"arm", "https://shop.westeurope.kusto.windows.net"}
    assert Path.cwd() != shop.folder


def test_a_spec_that_is_wrong_is_a_plan_that_is_not_empty(shop, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\ndatabases: 7\n")
    plan = shop.plan(wrong)
    assert plan.code == 1 and not plan.is_empty and "wrong.yaml" in plan.text


def test_variables_are_given_as_on_the_command_line(shop):
    assert shop.plan(SPEC, variables={"nosuch": "x"}).code == 1
    other = "33333333-2222-4222-8222-222222222222"
    assert any(other in one.text for one in shop.plan(SPEC, variables={"subscription": other}).requests)


def test_weather_and_counting(shop):
    shop.weather(Rule(Event("throttled", retry_after=40), "Clusters_Update", at=(1,)))
    before = Clock(Store(shop.file)).now()
    told = shop.apply(SPEC)
    assert told.converged and [(one.operation, one.weather) for one in told.struck] == [
        ("Clusters_Update", "throttled")
    ]
    assert Clock(Store(shop.file)).now() - before >= timedelta(seconds=40), "who waited did so on the sandbox's clock"
    assert [one.operation for one in told.writes].count("Clusters_Update") == 2
    shop.weather()
    assert not shop.apply(SPEC).writes
    with pytest.raises(ValueError, match="unknown weather 'hail'"):
        shop.weather(Rule(Event("hail")))
    with pytest.raises(ValueError, match="did you mean 'RoleAssignments_Create'"):
        shop.weather(Rule(Event("refused"), "RoleAssignment_Create"))
    for wrong in ({"chance": 0}, {"chance": 2}, {"at": (0,)}):
        with pytest.raises(ValueError, match="refused"):
            Rule(Event("refused"), **wrong)


def test_a_rule_without_conditions_strikes_every_time_where_its_service_knows_the_event(shop):
    shop.weather(Rule(Event("deadlock")), Rule(Event("refused", message="no"), "RoleAssignments_Create"))
    told = shop.apply(SPEC)
    assert told.code == 1 and {one.operation for one in told.struck} == {"RoleAssignments_Create"}


ROW = ["2026-03-05T10:00:00Z", 1, "NL", 2.5]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"OrderIdd": 2}, "Orders, row 2: there is no column OrderIdd; there are Timestamp, OrderId"),
        ([1], "row 2: 1 values for 4 columns"),
        ("text", "row 2: neither a list"),
        (["notadate", 1, "NL", 1.0], "row 2, column Timestamp: 'notadate' is no datetime"),
        ([None, 2**70, "NL", 1.0], "column OrderId"),
        ([None, "1", "NL", 1.0], "column OrderId"),
        ([None, 1, "\ud800", 1.0], "column Country"),
        ([None, 1, "NL", "much"], "column Amount"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_nothing_is_ingested(shop, row, words):
    assert shop.apply(SPEC).converged
    with pytest.raises(ValueError, match=re.escape(words)):
        shop.ingest("Orders", [ROW, row])
    assert shop.kql("Orders") == []


def test_rows_may_hold_python_s_own_values(shop):
    assert shop.apply(SPEC).converged
    columns = "a:datetime, b:timespan, c:decimal, d:guid, e:dynamic, f:bool, g:int"
    shop.kql(f".create table Odd ({columns})", "Shop")
    at = datetime(2026, 3, 5, 10, tzinfo=UTC)
    guid = UUID("11111111-2222-4333-8444-555555555555")
    shop.ingest("Odd", [[at, timedelta(hours=1), Decimal("1.5"), guid, {"x": [1, None]}, True, -3]])
    (row,) = shop.kql("Odd", "Shop")
    assert row["a"] == "2026-03-05T10:00:00.0000000Z" and row["b"] == "01:00:00" and row["d"] == str(guid)
    assert (row["e"], row["f"], row["g"], float(row["c"])) == ({"x": [1, None]}, True, -3, 1.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cursor_on_alter": "resett"},
        {"csl_script_lists_exports": "no"},
        {"export_seconds": -1},
        {"export_seconds": "soon"},
    ],
)
def test_a_switch_takes_its_own_values_only(shop, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        shop.switch(**wrong)


@pytest.mark.parametrize(("span", "minutes"), [("1h30m", None), ("1.5h", 90), ("01:30:00", 90), ("2d", 2880)])
def test_spans_are_written_as_in_kusto(shop, span, minutes):
    clock = Clock(Store(shop.file))
    if minutes is None:
        with pytest.raises(ValueError, match="no span"):
            shop.advance(span)
        return
    before = clock.now()
    shop.advance(span)
    assert timedelta(minutes=minutes) <= clock.now() - before < timedelta(minutes=minutes + 5)


def test_exports_stand_where_their_runs_left_them(shop):
    assert shop.apply(SPEC).converged
    before = shop.export("ArchiveOrders")
    assert (before.last_result, before.is_disabled) == (None, False)
    assert shop.tick() == []  # its interval has not passed
    shop.ingest("Orders", [["2026-03-05T10:00:00Z", 1, "NL", 2.5]])
    (run,) = shop.tick(timedelta(minutes=10))
    after = shop.export("ArchiveOrders", "Shop")
    assert run.records == 1 and after.cursor > before.cursor and after.last_result == "Completed"
    assert shop.kql("Orders | project OrderId", "Shop") == [{"OrderId": 1}]


def test_the_services_refuse_in_their_own_words(shop):
    shop.plan(SPEC)
    with pytest.raises(Refused, match=r"'NoSuch' of kind 'Table' was not found") as refused:
        shop.kql(".show table NoSuch cslschema")
    assert refused.value.status == 400
    with pytest.raises(Refused, match="MissingApiVersionParameter") as refused:
        shop.arm("GET", "/subscriptions/x/providers/Microsoft.Kusto/clusters")
    assert refused.value.status == 400
    with pytest.raises(KeyError, match="'Nowhere' is in nowhere"):
        shop.ingest("Nowhere", [])
    with pytest.raises(ValueError, match="no span"):
        shop.advance("soon")
    with pytest.raises(TypeError):
        shop.switch(nosuch=True)


def test_a_strict_world_holds_what_was_stocked_and_nothing_else(shop):
    shop.stock({"version": 1, "clusters": [], "strict": True})
    told = shop.apply(SPEC)
    assert told.code == 1 and "has no cluster https://shop.westeurope.kusto.windows.net" in told.text
    assert shop.exports() == [] and shop.grants() == []


def test_without_a_folder_nothing_is_left(tmp_path):
    with open_sandbox(root=EXAMPLE) as sandbox:
        folder = sandbox.folder
        assert sandbox.file.exists()
    assert not folder.exists()
