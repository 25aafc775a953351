from kxrecon.model import Outcome
from kxrecon.report import markdown
from tests.report import plans


def test_a_plan_is_a_table_with_folded_details():
    report = markdown.plan(plans.chain())
    assert report.startswith("### kxrecon plan: 3 to create, 1 to update, 1 hazard, 1 for others\n")
    assert "| `Azure Resource Manager` | 2 |  |  |  |" in report
    assert "| `database Telemetry` | 1 | 1 |  | 1 |" in report
    assert report.count("<details>") == report.count("</details>") == 4
    assert "«secret lakeKey»" in report
    assert "- `intervalBetweenRuns`: `10m → 5m`" in report


def test_a_plan_that_is_too_long_is_cut_and_says_so():
    actions = [plans.create(plans.EXPORT._replace(name=("D", f"E{number}")), number) for number in range(2_000)]
    report = markdown.plan(plans.of(*actions))
    assert len(report) <= markdown.LIMIT
    assert "more of 2000 entries do not fit" in report
    assert report.count("<details>") == report.count("</details>")


def test_hostile_names_stay_text():
    nasty = plans.EXPORT._replace(name=("D", "</summary><script>x</script> @team [a](http://b) | `c` ```"))
    report = markdown.plan(plans.of(plans.create(nasty, 1)))
    assert "<script>" not in report
    assert "@team" not in report
    assert "[a](http" not in report


def test_a_fence_cannot_be_closed_from_inside():
    part = plans.FieldChange("query", "a\n```\n</details>", "b\n````\n")
    report = markdown.plan(plans.of(plans.update(plans.EXPORT, 1, part)))
    assert "`````diff" in report


def test_outcomes_are_a_table():
    plan = plans.chain()
    results = [Outcome(action.id, "done") for action in plan.actions[:3]] + [Outcome("a4", "failed", "no | right")]
    report = markdown.outcomes(plan, results, "not converged")
    assert "| update | `continuous_export Telemetry/ArchiveEvents` | failed: no &#124; right |" in report
