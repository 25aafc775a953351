"""Pages without a browser: what they say, that they nest, that no value becomes markup, and that they stay small."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kxrecon.model import FieldChange, Finding, Hazard, Ref, Request, Secret
from kxrecon.report.fleet import Row
from kxrecon.report.html import plan, status, verify
from kxrecon.report.html.differences import marked
from kxrecon.report.html.page import LONGEST, digest
from kxrecon.report.html.room import Room
from kxrecon.verdicts import Chain, Fix, Link
from tests.pages import values
from tests.pages.reading import read, titles
from tests.report import plans


def verified(*told, **options):
    return verify.page(told or values.alone(values.proofs()), values.heading("verify"), **options)


def running(*told, **options):
    return status.page(told or values.alone(values.status()), values.heading("status"), **options)


def planned(*rows, **options):
    return plan.page(rows or [values.row()], values.heading("plan"), **options)


PAGES = {
    "verify": verified,
    "verify of a fleet": lambda: verified(*values.several(values.proofs(), values.proofs()[2:])),
    "status": running,
    "status of a fleet": lambda: running(*values.several(values.status(), values.status())),
    "plan": planned,
    "plan of a fleet": lambda: planned(*values.fleet()),
    "nothing to verify": lambda: verified(*values.alone([])),
    "nothing to do": lambda: planned(values.row(plans.of())),
    "nothing runs": lambda: running(*values.alone(replace(values.status(), exports=()))),
}


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_a_page_nests_and_is_self_contained(made):
    page = made()
    root = read(page)
    ids = [one.attributes["id"] for one in root.walk() if "id" in one.attributes]
    assert len(set(ids)) == len(ids)
    anchors = {one.attributes["href"] for one in root.all("a")}
    assert anchors <= {f"#{one}" for one in ids}, "it links to nothing outside itself, and to nothing that is not there"
    for one in root.walk():
        assert one.tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {name for name in one.attributes if name.startswith("on") or name in {"style", "src"}}


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(made):
    page = made()
    root = read(page)
    (policy,) = (
        one.attributes["content"]
        for one in root.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,), (script,) = (
        re.findall(r"<style>(.*?)</style>", page, re.S),
        re.findall(r"<script>(.*?)</script>", page, re.S),
    )
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "style-src": f"'{digest(style)}'",
        "script-src": f"'{digest(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    before = page[: page.index("Content-Security-Policy")]
    assert "<style" not in before and "<script" not in before, "a policy holds for what comes after it"


def test_a_broken_chain_has_its_fix_beside_it_and_a_shared_one_is_on_top():
    root = read(verified())
    assert root.all("h1")[0].text == "9 exports: 4 broken, 1 not fully known, 4 hold"
    (cause,) = root.all("ol", "causes")[0].all("li")
    assert cause.all("p")[0].text.startswith("policy stops 3 exports: neither the cluster's policy")
    assert [one.text for one in cause.all("a")] == [
        "Telemetry/OrdersToLake",
        "Telemetry/EventsToDwh",
        "Telemetry/ClicksToFolder",
    ]
    first = root.all("li", "card")[0]
    assert "open" in first.all("details")[0].attributes
    (broken,) = first.all("li", "broken")
    assert broken.all("h4")[0].text == "policy is broken"
    assert [one.text for one in broken.all("pre")] == [" ".join(values.POLICY.text.split()), values.APPLY.text]
    edges = first.all("svg", "map")[0].all("g", "edge")
    assert [one.attributes["class"] for one in edges].count("edge broken") == 1
    assert "✗ runs as" in first.all("svg", "map")[0].text
    shut = [one for one in root.all("li", "card") if "open" not in one.all("details")[0].attributes]
    assert len(shut) == 7, "of those with one cause the first is open"


def test_links_of_which_the_same_is_said_are_told_once():
    links = (
        *(Link(name, "unknown", "not reached: there is no external table") for name in ("target", "grant")),
        Link("run", "holds", "x"),
    )
    (found,) = verify.ill(Chain("D/E", links))
    assert (found.names, found.verdict) == (["target", "grant"], "unknown")


def test_status_lists_those_first_that_need_somebody():
    root = read(running())
    assert root.all("h1")[0].text == "13 exports: 4 to look after"
    groups = {one.all("h2")[0].text: titles(one) for one in root.all("section", "group")}
    assert groups["To look after 4"] == [
        "Telemetry/OrdersToLake",
        "Telemetry/Gone",
        "Telemetry/AuditTrail",
        "Telemetry/EventsToDwh",
    ]
    assert groups["Not readable 1"] == ["Telemetry/Hidden"]
    cards = {card.all("h3")[0].text: card for card in root.all("li", "card")}
    said = [one.attributes["aria-label"] for one in cards["Telemetry/OrdersToLake"].all("svg", "chart")]
    assert said == ["Lateness: Late 2 times, the longest 6h", "Files per run: 360 runs wrote 1,216 files, 1 to 6 each"]
    assert "a monitor's role is missing" in cards["Telemetry/Denied"].text
    assert not cards["Telemetry/Denied"].all("svg", "chart"), "what is not known is not drawn as nothing"
    assert "Dashed: no files and no failures, the longest" in cards["Telemetry/Quiet"].text
    assert "Not late" in cards["Telemetry/Paused"].text, "nothing is due of what the spec disables"


def test_a_plan_shows_differences_hazards_order_and_requests():
    root = read(planned(apply="kxrecon apply --digest 12ab"))
    cards = {card.all("h3")[0].text: card for card in root.all("li", "card")}
    changed = cards["update external_table ErrorsArchive"]
    assert [one.text for one in changed.all("ins")] == ["Code:long,", "archive2"]
    assert [one.text for one in changed.all("del")] == ["archive"]
    lines = cards["update continuous_export ArchiveEvents"].all("td", "diff")[0]
    assert [one.text for one in lines.children if getattr(one, "tag", "") == "span"] == [
        "Events",
        "-| take 1",
        "+| take 2",
    ]
    assert [one.all("b")[0].text for one in changed.all("div", "call")] == ["repoints-export"]
    refused = next(one for one in root.all("section", "panel") if "refuse" in one.all("h2")[0].text)
    assert [one.text for one in refused.all("pre")] == [
        "--allow restarts-export:Telemetry/ArchiveEvents",
        "--allow repoints-export:Telemetry/ErrorsArchive",
    ]
    waves = root.all("ol", "waves")[0]
    assert [one.text for one in waves.all("span", "wave")] == ["1", "2", "3"]
    assert "ErrorsToLake" in waves.all("li")[-1].text
    assert [one.text for one in cards["create continuous_export ErrorsToLake"].all("p", "after")[0].all("a")] == [
        "#1",
        "#3",
    ]
    assert "«secret lakeKey»" in root.text
    assert "kxrecon apply --digest 12ab" in [one.text for one in root.all("pre")]


def test_an_allowed_hazard_is_told_and_not_refused():
    root = read(planned(values.row(refused=())))
    assert "Apply will refuse" not in root.text
    assert root.text.count("Allowed in the spec.") == 2 and "--allow" not in root.text


def test_what_plans_share_is_told_once_with_their_names():
    root = read(planned(*values.fleet()))
    assert root.all("h1")[0].text == "3 specs: 7 to create, 4 to update, 1 to delete; 1 without a plan"
    groups = {one.all("h2")[0].text: titles(one) for one in root.all("section", "group")}
    assert len(groups["On prod-east, prod-west 5"]) == 5
    assert groups["On prod-east 2"] == [
        "delete database_role Telemetry/viewers/aadgroup=6f0e9c1e",
        "create continuous_export Telemetry/ErrorsToLake",
    ]
    assert "unknown field 'colour'" in root.all("table", "summary")[0].text
    assert not root.all("ol", "waves"), "each plan has an order of its own"
    refused = next(one for one in root.all("section", "panel") if "refuse" in one.all("h2")[0].text)
    assert len(refused.all("li")) == 2 and "prod-east, prod-west" in refused.text


def test_old_and_new_are_marked_at_words():
    assert marked("a, b, c", "a, x, y, c") == (("a, ", "b", ", c"), ("a, ", "x, y", ", c"))
    assert marked("same", "same") == (("same", "", ""), ("same", "", ""))
    assert marked("", "new") == (("", "", ""), ("", "new", ""))
    assert marked("archive/a", "archive/a/b") == (("archive/a", "", ""), ("archive/a", "/b", ""))


# ---- hostile values
def hostile():
    nasty = values.NASTY
    fix = Fix("kusto", nasty, nasty)
    chain = Chain(
        nasty, (Link("policy", "broken", nasty, (fix,)), Link("grant", "unknown", nasty), Link("job", "holds", nasty))
    )
    said = {name: "holds" for name, _ in values.LINKS}
    drawn = [(chain, values.picture(nasty, said, 1, 1)), (replace(chain, export="b"), values.picture("b", said, 1, 1))]
    yield verify.page(values.several(drawn, drawn, error=nasty), values.heading("verify"))
    past = values.history(down=[(60, 72)], failing=nasty)
    export = replace(values.health("x", "failing", past, failures={nasty: 3}, message=nasty), export=nasty)
    yield status.page(
        values.several(values.status([export, replace(export, history=None, untold=nasty)]), error=nasty),
        values.heading("status"),
    )
    ref = Ref("continuous_export", ("Db", nasty))
    change = plans.update(
        ref, 1, FieldChange(nasty, nasty, nasty + "b"), FieldChange("query", nasty + "\n1", nasty + "\n2"),
        hazards=(Hazard(nasty, ref, nasty),), requests=(Request("kusto", nasty, (nasty, Secret(nasty))),),
    )  # fmt: skip
    made = plans.create(ref._replace(name=(nasty, "x")), 2, fields={nasty: nasty}, reasons=(nasty,), after=("a1",))
    both = plans.of(
        replace(change, notes=(nasty,)),
        replace(made, wave=1),
        findings=(Finding("handover", ref, nasty, nasty), Finding("note", None, nasty, nasty)),
    )
    yield plan.page(
        [values.row(both)], replace(values.heading("plan"), cluster=nasty, spec=(nasty,), wire=nasty), apply=nasty
    )
    yield plan.page(
        [values.row(both, name=nasty, cluster=nasty), Row("b", nasty, 1, 1, error=nasty)], values.heading("plan")
    )


def test_no_value_becomes_markup_or_turns_text_round():
    for page in hostile():
        root = read(page)
        assert not root.all("img") and len(root.all("script")) == len(root.all("style")) == 1
        assert "\u202e" not in page and "\\u202e" in page
        assert "{{7*7}}" in root.text and "49" not in root.all("h1")[0].text
        for one in root.walk():
            assert not {name for name in one.attributes if name.startswith("on")}


def test_pages_for_a_browser_have_no_controls_but_lines_and_tabs():
    chain = Chain(
        "D/E\x00\x1b[2J", (Link("policy", "broken", "a\x07b", (Fix("kusto", "one\ttwo\nthree\x1b]0;x\x07"),)),)
    )
    page = verify.page(
        values.alone([(chain, values.picture("x", {name: "holds" for name, _ in values.LINKS}, 1, 1))]),
        values.heading("verify"),
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)
    assert "one\ttwo\nthree\\x1b" in page


# ---- size
def test_a_large_plan_is_listed_whole_and_detailed_as_far_as_there_is_room():
    row = values.many(400)
    whole = plan.page([row], values.heading("plan"))
    assert whole.count('class="card"') == whole.count("<details") == 400 and "without their details" not in whole
    small = plan.page([row], values.heading("plan"), room=Room(lines=300, details=100_000))
    assert len(small) < 100_000 + 300 * 600 + 60_000
    root = read(small)
    limits = [one.text for one in root.all("p", "limit")]
    assert len(root.all("li", "card")) == 300 and "100 more entries are not here at all" in limits[1]
    bare = len(root.all("div", "bare"))
    assert 0 < bare < 300 and limits[0].startswith(f"{bare + 0} entries are here without their details")
    waves = root.all("ol", "waves")[0].text
    assert "134 × table" in waves, "a long wave is counted"


def test_hazards_have_room_before_all_others():
    made = values.many(50).plan
    risky = replace(made.actions[49], hazards=(Hazard("drops-data", made.actions[49].refs[0], "all of it"),))
    page = plan.page(
        [values.row(replace(made, actions=(*made.actions[:49], risky)))],
        values.heading("plan"),
        room=Room(details=2_500),
    )
    detailed = [card.all("h3")[0].text for card in read(page).all("li", "card") if card.all("details")]
    assert detailed[-1].endswith("Feed49") and len(detailed) <= 2


def test_a_text_of_unreasonable_length_is_cut_and_says_so():
    text = "Events | where x == 1 // " + "y" * 100_000
    request = Request("kusto", "D", (text,))
    page = plan.page(
        [values.row(plans.of(plans.create(plans.EXPORT, 1, fields={"query": text}, requests=(request,))))],
        values.heading("plan"),
    )
    assert len(page) < 2 * LONGEST + 60_000
    assert f"… and {len(text) - LONGEST:,} more characters" in page


def test_broken_exports_have_room_before_those_that_hold():
    many = [values.proof(f"E{number}") for number in range(30)] + [values.proof("Broken", broken=["grant"])]
    page = verify.page(values.alone(many), values.heading("verify"), room=Room(details=12_000))
    detailed = [card.all("h3")[0].text for card in read(page).all("li", "card") if card.all("details")]
    assert detailed[0] == "Telemetry/Broken" and len(detailed) < 5
