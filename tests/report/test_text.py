from kxrecon.model import FieldChange, Finding, Outcome
from kxrecon.report import text
from kxrecon.report.lines import coloured, plain
from tests.report import plans


def shown(lines):
    return plain(lines)


def test_a_plan_names_what_why_in_which_order_and_at_what_risk():
    report = shown(text.plan(plans.chain()))
    assert "plan for https://telemetry.westeurope.kusto.windows.net (sandbox:.kxrecon/sandbox.db)" in report
    assert "#1 + cluster_identity system" in report
    assert "needed by Telemetry/ArchiveEvents" in report
    assert "after #1" in report
    assert "intervalBetweenRuns  10m → 5m" in report
    assert "! restarts-export: it was disabled" in report
    assert "3 to create, 1 to update, 1 hazard, 1 for others." in report


def test_requests_show_secrets_by_name_and_late_values_by_what_they_wait_for():
    report = shown(text.plan(plans.chain()))
    assert "kusto Telemetry: alter external table T (h@'https://lake;«secret lakeKey»')" in report
    assert "«known after apply: cluster_identity(system).principalId»" in report
    assert "roleAssignments.create" not in shown(text.plan(plans.chain(), requests=False))


def test_texts_of_several_lines_are_compared_line_by_line():
    report = shown(text.plan(plans.chain()))
    assert "          -| take 1\n          +| take 2\n" in report


def test_groups_come_identity_first_then_databases():
    report = shown(text.plan(plans.chain()))
    assert report.index("Azure Resource Manager") < report.index("database Telemetry")


def test_an_empty_plan_says_that_nothing_is_to_do():
    assert shown(text.plan(plans.of())).endswith("\nnothing to do.\n")


def test_drift_is_said_without_requests_and_no_drift_only_if_everything_could_be_read():
    assert "drift: 3 to create, 1 to update" in shown(text.drift(plans.chain()))
    assert "roleAssignments.create" not in shown(text.drift(plans.chain()))
    assert shown(text.drift(plans.of())).endswith("no drift.\n")
    blind = plans.of(findings=(Finding("unknown", plans.EXPORT, "denied"),))
    assert shown(text.drift(blind)).endswith("no drift in what could be read, 1 unknown.\n")
    masked = plans.of(findings=(Finding("unverifiable", plans.EXPORT, "masked"), Finding("ignored", plans.TABLE, "so")))
    assert shown(text.drift(masked)).endswith("no drift in what could be read, 1 not verifiable, 1 ignored.\n")
    left = plans.of(findings=(Finding("ignored", plans.TABLE, "so"),))
    assert shown(text.drift(left)).endswith("no drift, 1 ignored.\n")


def test_an_export_that_only_stands_still_is_not_counted_as_changed():
    paused = plans.update(plans.EXPORT, 1)
    report = shown(text.plan(plans.of(paused, plans.update(plans.TABLE, 2, FieldChange("folder", "", "x")))))
    assert "1 to update." in report


def test_colour_changes_nothing_but_colour():
    lines = list(text.plan(plans.chain()))
    painted = coloured(lines)
    assert "\x1b[" in painted
    assert "\x1b" not in plain(lines)


def test_hostile_names_cannot_move_the_cursor():
    nasty = plans.EXPORT._replace(name=("Tele\x1b[2Jmetry", "a\u202eb\nc"))
    report = shown(text.plan(plans.of(plans.create(nasty, 1))))
    assert "\x1b" not in report and "\u202e" not in report
    assert r"a\u202eb\nc" in report


def test_progress_and_end_of_an_apply():
    plan = plans.chain()
    first = Outcome("a1", "done", seconds=1.25)
    second = Outcome("a2", "failed", "AuthorizationFailed: no right to write here\nrequest id 1")
    line = shown(text.outcome(first, plan.actions[0], 1, 4))
    assert line == "[1/4] + cluster_identity system  done 1.2 s\n"
    assert "AuthorizationFailed" in shown(text.outcome(second, plan.actions[1], 2, 4))
    rest = [Outcome("a3", "skipped", "waits for a2, which failed"), Outcome("a4", "not-begun")]
    report = shown(text.outcomes([first, second, *rest], plan.actions))
    assert "FAILED create role_assignment" in report
    assert "waits for a2, which failed" in report
    assert report.endswith("1 done, 1 failed, 1 skipped, 1 not begun.\n")
