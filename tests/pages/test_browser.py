"""Pages in a real browser: nobody is shut out, nothing injected runs, keys do what they say, paper and night are legible."""

from __future__ import annotations

import pytest

from kxrecon.report.html import plan, status, verify
from tests.pages import values
from tests.pages.test_html import hostile

PAGES = {
    "verify": lambda: verify.page(values.alone(values.proofs()), values.heading("verify")),
    "status": lambda: status.page(values.several(values.status(), values.status()), values.heading("status")),
    "plan": lambda: plan.page([values.row()], values.heading("plan"), apply="kxrecon apply --digest 12ab"),
}
LUMINANCE = (
    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 765"
)
UNFOLD = "for (const one of document.querySelectorAll('details')) one.open = true"
SHOWN = "[...document.querySelectorAll('.card')].filter((one) => one.checkVisibility()).length"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_by_day_and_by_night_and_asks_nothing_of_a_network(opened, name):
    from axe_playwright_python.sync_playwright import Axe

    text = PAGES[name]()
    for dark in (False, True):
        with opened(dark=dark) as tab:
            page = tab.show(text, f"{name}-{'dark' if dark else 'light'}")
            page.evaluate(UNFOLD)
            colours = {"runOnly": ["color-contrast"]} if dark else {}  # the rest is the same by night
            found = Axe().run(page, options={"resultTypes": ["violations"], **colours}).response
            told = [
                (one["id"], node["target"], node.get("failureSummary"))
                for one in found["violations"]
                for node in one["nodes"][:3]
            ]
            assert not told
            assert (page.evaluate(LUMINANCE) < 0.2) is dark
            assert page.evaluate("refused") == [] and tab.said == []
            assert len(tab.requests) == 1 and tab.requests[0].startswith("file:")


def test_what_is_injected_does_not_run(opened):
    """Once more behind the escaping: were a value to become markup, the policy would stop it."""
    text = PAGES["plan"]()
    evil = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'><style>body { display: none }</style>"
    evil += (
        "<a id=bait href='javascript:window.ran = 1'>x</a><iframe srcdoc='<script>parent.ran = 1</script>'></iframe>"
    )
    with opened() as tab:
        page = tab.show(text.replace("<h1>", f"<h1>{evil}"))
        page.locator("#bait").evaluate("(one) => one.click()")
        assert page.evaluate("window.ran") is None
        assert page.evaluate("getComputedStyle(document.body).display") == "block"
        assert {"script-src-elem", "script-src-attr", "img-src", "style-src-elem"} <= set(page.evaluate("refused"))
        refusal = "() => { try { document.body.innerHTML = '<b>x</b>' } catch (error) { return error.name } }"
        assert page.evaluate(refusal) == "TypeError", "text does not become markup, not even from a script"


def test_hostile_values_are_text(opened):
    for number, text in enumerate(hostile()):
        with opened() as tab:
            page = tab.show(text, f"hostile-{number}")
            assert page.evaluate("[...document.querySelectorAll('img')].length") == 0
            assert "<img src=x onerror=alert(1)>" in page.locator("main").text_content()
            assert tab.said == [] and page.evaluate("refused") == []


def test_keys_filter_walk_open_and_clear(opened):
    with opened() as tab:
        page = tab.show(PAGES["verify"]())
        keys, focused = (
            page.keyboard,
            lambda: page.evaluate("document.activeElement.innerText || document.activeElement.id"),
        )
        keys.press("/")
        assert focused() == "find"
        keys.type("FEED hold")
        page.wait_for_function("document.getElementById('shown').textContent === '4 of 9 shown'")
        assert page.evaluate(SHOWN) == 4
        assert (
            page.evaluate("[...document.querySelectorAll('.group')].filter((one) => one.checkVisibility()).length") == 1
        )
        keys.press("ArrowDown")
        keys.press("ArrowDown")
        assert "Telemetry/Feed1" in focused()
        keys.press("Enter")
        assert page.locator("#export-6 .held").is_visible()
        keys.press("ArrowUp")
        assert "Telemetry/Feed0" in focused()
        keys.press("/")
        keys.press("Escape")
        page.wait_for_function("document.getElementById('shown').textContent === '9 shown'")
        keys.type("nothing like this")
        page.wait_for_function("document.getElementById('shown').textContent === '0 of 9 shown'")
        assert page.locator("#none").is_visible()


def test_choices_add_up_and_facets_narrow(opened):
    with opened() as tab:
        page = tab.show(PAGES["status"]())
        choose = lambda name: page.get_by_role("button", name=name).click()  # noqa: E731
        for name, number in (("failing", 2), ("1 late", None), ("2 late", 4), ("prod-west", 2)):
            if number is not None:
                choose(name)
                assert page.evaluate(SHOWN) == number, name
        choose("Open all")
        assert (
            page.evaluate("[...document.querySelectorAll('.chart')].filter((one) => one.checkVisibility()).length") == 6
        )
        assert page.get_by_role("button", name="prod-west").get_attribute("aria-pressed") == "true"


def test_a_fix_can_be_copied_and_a_link_opens_what_it_names(opened):
    with opened() as tab:
        page = tab.show(PAGES["verify"]())
        page.locator("#export-0").get_by_role("button", name="Copy the fix of policy").first.click()
        page.wait_for_function(
            "getSelection().toString() || document.querySelector('#export-0 .copy').textContent === 'Copied'"
        )
        page.locator(".causes a", has_text="ClicksToFolder").click()
        page.wait_for_function("document.querySelector('#export-2 details').open")
        assert page.locator("#export-2 summary").first.evaluate("(one) => one === document.activeElement")


def test_on_paper_everything_that_matters_is_there_and_nothing_to_press(opened):
    for name, text in PAGES.items():
        with opened(dark=True) as tab:
            page = tab.show(text(), f"{name}-before-print")
            page.emulate_media(media="print", color_scheme="dark")
            tab.keep(f"{name}-print")
            assert page.evaluate(LUMINANCE) > 0.9, "no ink for the night"
            buttons = "[...document.querySelectorAll('.tools, .copy')].filter((one) => one.checkVisibility()).length"
            assert page.evaluate(buttons) == 0
            bodies = """(kept) => [...document.querySelectorAll('.card > details')].filter((one) =>
                one.matches('.well') === kept && one.querySelector('.body').checkVisibility({ contentVisibilityAuto: true })).length"""
            matter = page.evaluate("document.querySelectorAll('.card > details:not(.well)').length")
            assert page.evaluate(bodies, False) == matter > 0
            assert page.evaluate(bodies, True) == 0, "of what is well a line is enough"


def test_in_a_pocket_nothing_has_to_be_moved_sideways(opened):
    for name, text in PAGES.items():
        with opened(width=360) as tab:
            page = tab.show(text(), f"{name}-narrow")
            page.evaluate(UNFOLD)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= 360, name


def test_without_scripts_the_page_reads_the_same(chromium, tmp_path):
    context = chromium.new_context(java_script_enabled=False)
    path = tmp_path / "page.html"
    path.write_text(PAGES["verify"](), encoding="utf-8")
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator(".card").count() == 9
    assert not page.locator(".tools").is_visible() and not page.locator(".copy").first.is_visible()
    page.locator("#export-5 summary").first.click()
    assert page.locator("#export-5 .held").is_visible()
    context.close()


def test_thousands_of_entries_can_be_filtered(opened):
    with opened() as tab:
        page = tab.show(plan.page([values.many(3_000)], values.heading("plan")))
        page.locator("#find").fill("feed2999")
        page.wait_for_function("document.getElementById('shown').textContent === '1 of 3000 shown'")
        assert page.evaluate(SHOWN) == 1
