"""What other tools got wrong, one test each: their reported failures, and how kxrecon meets them."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date

import pytest

from kxrecon.errors import SpecError
from kxrecon.hazards import refused
from kxrecon.sandbox.forecast import Event, Forecast, Rule
from tests.ground import Simulated, ground, spec_of
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string"
SMALL = {
    **HEAD,
    "databases": {
        "Telemetry": {
            "roles": {"viewers": {"add": ["oncall", "robot"]}},
            "tables": {"Events": {"columns": COLUMNS}},
            "externalTables": {"Out": {"kind": "storage", "columns": COLUMNS, "target": "blob", "dataFormat": "csv"}},
            "continuousExports": {
                "Job": {
                    "over": ["Events"],
                    "to": "Out",
                    "query": "Events",
                    "managedIdentity": "exporter",
                    "intervalBetweenRuns": "10m",
                }
            },
        }
    },
}


class Peer:
    """A ground with the small estate applied, put back for each test."""

    def __init__(self, opened, folder) -> None:
        self.ground, self._folder = opened, folder
        self.spec = self.other()
        self.bare = opened.snapshot()
        assert not opened.converge(self.spec).actions
        self.applied = opened.snapshot()

    def other(self, **more):
        """The spec with other fields of its export, or another section of its database under ``database``."""
        document = deepcopy(SMALL)
        content = document["databases"]["Telemetry"]
        content |= more.pop("database", {})
        document |= more.pop("top", {})
        if "continuousExports" in content and content["continuousExports"]:
            content["continuousExports"]["Job"] |= more
        return spec_of(json.dumps(document), self._folder)

    def stored(self, kind, name):
        ((key, document),) = [one for one in self.ground.store.all(kind) if one[0][-1] == name]
        return key, document

    def change(self, kind, name, **fields):
        key, document = self.stored(kind, name)
        self.ground.store.put(kind, key, {**document, **fields})

    def commands(self, word=""):
        """What was sent to Kusto that is no read."""
        return [
            one.text for one in self.ground.sent if one.text.startswith(".") and not one.is_read and word in one.text
        ]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    with ground(folder, spec_of(json.dumps(SMALL), folder), time=Simulated()) as found:
        yield Peer(found, folder)


@pytest.fixture
def peer(opened):
    opened.ground.restore(opened.applied)
    yield opened
    opened.ground.forecast, opened.ground.tamper = Forecast(), None


def test_01_interval_is_not_latency_and_no_latency_is_not_zero(peer):
    _, stored = peer.stored("continuous_export", "Job")
    assert "forcedLatency" not in stored["properties"]
    (action,) = peer.ground.plan(peer.other(intervalBetweenRuns="15m")).actions
    (change,) = action.changes
    assert [part.field for part in change.fields] == ["intervalBetweenRuns"]
    (request,) = action.requests
    assert "forcedLatency" not in str(request.text)
    peer.ground.converge(peer.other(intervalBetweenRuns="15m"))
    assert len(peer.commands("continuous-export")) == 1


def test_02_an_export_with_an_unknown_property_is_read_back_whole(peer):
    _, stored = peer.stored("continuous_export", "Job")
    properties = {**stored["properties"], "futureSetting": "7"}
    peer.change("continuous_export", "Job", properties=properties, isDisabled=True)
    assert not peer.ground.plan(peer.other(isDisabled=True)).actions
    plan = peer.ground.plan(peer.other(isDisabled=True, intervalBetweenRuns="15m"))
    hazards = {hazard.hazard for action in plan.actions for hazard in action.hazards}
    assert hazards & {"drops-property"} or any("futureSetting" in one.message for one in plan.findings), plan


def test_03_enabling_and_distributed_false_reach_the_command(peer):
    peer.change("continuous_export", "Job", isDisabled=True)
    spec = peer.other(isDisabled=False, distributed=False)
    assert not peer.ground.converge(spec).actions
    _, stored = peer.stored("continuous_export", "Job")
    assert stored["isDisabled"] is False and stored["properties"]["distributed"] is False


def test_04_a_role_left_out_is_left_alone_and_an_empty_exact_one_is_refused(peer):
    peer.ground.kql(".add database Telemetry admins ('aaduser=5d8f0c3a-1b2e-4f60-8a9b-c7d6e5f40312') 'me'")
    peer.ground.sent.clear()
    assert not peer.ground.plan(peer.spec).actions
    with pytest.raises(SpecError, match="would empty the role admins"):
        peer.other(database={"roles": {"admins": {"exact": []}}})
    plan = peer.ground.plan(peer.other(database={"roles": {"admins": {"exact": ["robot"]}}}))
    taken = [action for action in plan.actions if action.verb == "delete"]
    assert plan.blocked or {action.id for action in taken} <= {one.action for one in refused(plan, (), date.today())}
    assert peer.commands() == []


def test_05_principals_in_another_order_or_form_are_no_change(peer):
    viewers = ["aadapp=6F0E9C1E-0000-4000-8000-000000000005;other.example", "exporter", "oncall"]
    assert not peer.ground.plan(peer.other(database={"roles": {"viewers": {"add": viewers}}})).actions


def test_06_every_command_is_sent_once_around_a_long_running_step(peer):
    peer.ground.restore(peer.bare)
    assert not peer.ground.converge(peer.spec).actions
    sent = peer.commands()
    assert len(sent) >= 6 and len(sent) == len(set(sent)), sent
    assert [one.operation for one in peer.ground.sent].count("Clusters_Update") == 1


def test_07_exports_are_dropped_before_the_tables_that_they_use(peer):
    gone = {"tables": {}, "externalTables": {}, "continuousExports": {}}
    prune = {"prune": {"tables": "all", "externalTables": "all", "continuousExports": "all"}}
    spec = peer.other(database=gone, top=prune)
    plan = peer.ground.plan(spec)
    drops = [action.refs[0].kind for action in plan.actions if action.verb == "delete"]
    assert sorted(drops) == ["continuous_export", "external_table", "table"]
    peer.ground.apply(spec, plan)
    order = [text.split()[1] for text in peer.commands(".drop")]
    assert order[0] == "continuous-export" and sorted(order[1:]) == ["external", "table"], order


def test_08_identity_before_policy_before_table_and_export(peer):
    peer.ground.restore(peer.bare)
    plan = peer.ground.plan(peer.spec)
    wave = {action.refs[0].kind: action.wave for action in plan.actions}
    assert wave["cluster_identity"] < wave["managed_identity_policy"] < wave["continuous_export"]
    assert wave["external_table"] < wave["continuous_export"]
    assert wave["database_role"] < wave["continuous_export"] and wave["role_assignment"] < wave["continuous_export"]


def test_09_a_failed_row_in_a_200_is_a_failure_and_the_next_run_goes_on(peer):
    peer.ground.restore(peer.bare)
    error = {"code": "General_BadRequest", "message": "no", "@type": "x", "@message": "step failed", "@permanent": True}

    def failed_row(sent, answer):
        if sent.text.startswith(".create-or-alter external"):
            peer.ground.store.delete("external_table", *peer.stored("external_table", "Out")[0])
            answer["Tables"][0]["Rows"] = [{"OneApiErrors": [{"error": error}]}]
        return answer

    peer.ground.tamper = failed_row
    outcomes = {one.action: one for one in peer.ground.apply(peer.spec)}
    table = outcomes["create:external_table:Telemetry/Out"]
    assert (table.result, "step failed" in table.message) == ("failed", True), table
    assert outcomes["create:continuous_export:Telemetry/Job"].result == "skipped"
    assert outcomes["create:table:Telemetry/Events"].result == "done"
    peer.ground.tamper = None
    assert not peer.ground.converge(peer.spec).actions


@pytest.mark.parametrize("kind", ["maintenance", "conflict", "throttled", "unavailable"])
def test_10_a_busy_or_throttled_service_is_never_a_permanent_failure(peer, kind):
    peer.ground.restore(peer.bare)
    rules = [Rule(Event(kind), "Clusters_Update", at=(1, 2, 3, 4))]
    if kind in ("throttled", "unavailable"):
        rules.append(Rule(Event(kind), ".*", at=(1, 2, 3)))
    peer.ground.forecast = Forecast(tuple(rules))
    assert not peer.ground.converge(peer.spec).actions


def test_11_a_principal_that_is_not_found_for_ninety_seconds_is_found_then(peer):
    peer.ground.restore(peer.bare)
    peer.ground.forecast = Forecast(
        (Rule(Event("principal-not-found"), "RoleAssignments_Create", at=(1, 2, 3, 4, 5, 6, 7)),)
    )
    assert not peer.ground.converge(peer.spec).actions


def test_12_a_role_assignment_under_another_name_is_the_same(peer):
    ((key, document),) = peer.ground.store.all("role_assignment")
    peer.ground.store.delete("role_assignment", *key)
    theirs = {**document, "description": "portal"}
    peer.ground.store.put("role_assignment", (key[0], "99999999-9999-4999-8999-999999999999"), theirs)
    assert not peer.ground.plan(peer.spec).actions


def test_13_an_unknown_line_in_the_script_stops_nothing(peer):
    def with_news(sent, answer):
        if "csl script" in sent.text:
            rows = answer["Tables"][0]["Rows"]
            width = len(answer["Tables"][0]["Columns"])
            rows.insert(0, [".create-or-alter frobnicator ['X'] with (a=`unfinished <| {{{", *[""] * (width - 1)])
        return answer

    peer.ground.tamper = with_news
    plan = peer.ground.plan(peer.other(intervalBetweenRuns="15m"))
    assert [action.refs[0].label for action in plan.actions] == ["Telemetry/Job"]


def test_14_a_stale_entity_is_refused_and_the_rest_is_done(peer):
    peer.change("table", "Events", docString="theirs")
    documented = {"tables": {"Events": {"columns": COLUMNS, "docString": "ours"}}}
    spec = peer.other(database={**documented, "roles": {"monitors": {"add": ["robot"]}}})
    plan = peer.ground.plan(spec)
    peer.change("table", "Events", docString="theirs, later")
    results = {one.action.split(":")[1]: one.result for one in peer.ground.apply(spec, plan)}
    assert results == {"table": "failed", "database_role": "done"}
    assert peer.stored("table", "Events")[1]["docString"] == "theirs, later"


def test_16_the_number_of_requests_depends_on_databases_and_not_on_what_is_in_them(tmp_path):
    def requests(databases, exports):
        content = SMALL["databases"]["Telemetry"]
        job = content["continuousExports"]["Job"]
        many = {**content, "continuousExports": {f"Job{number}": job for number in range(exports)}}
        document = {**SMALL, "databases": {f"D{number}": many for number in range(databases)}}
        folder = tmp_path / f"{databases}-{exports}"
        folder.mkdir()
        spec = spec_of(json.dumps(document), folder)
        with ground(folder, spec) as opened:
            opened.plan(spec)
            # The SDK remembers an address's metadata for the whole process, and ports come round again.
            sent = [one for one in opened.sent if one.operation != "metadata"]
            return len([one for one in sent if one.service.startswith("https")]), len(sent)

    one, few, many = requests(1, 1), requests(8, 1), requests(8, 12)
    assert few == many
    assert few[0] - one[0] <= 7 * 12 and few[0] <= 4 + 8 * 12
    assert few[1] - few[0] == one[1] - one[0]  # ARM and Data Lake are asked once for all
