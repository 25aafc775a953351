"""The report of the probes: what is unexpected first, hostile text harmless, the same in three forms."""

from __future__ import annotations

import json
import re

from kxrecon.probed import Found, Left, Probed, Seen, Unprobed
from kxrecon.report import probe as report
from kxrecon.report.lines import plain

HOSTILE = "</details><img src=x> | `a` @all \x1b[31m\n### no"
FOUND = (
    Found("a-told", "f", "Is it so?", "reads both", "told", "yes", "it is", seen=(Seen(".show x", '{"cell": 1}'),)),
    Found("b-open", "f", "And so?", "looks", "open", why=HOSTILE),
    Found("c-not", "f", "Or so?", "looks", "not-asked", why="needs --storage URL"),
    Found("d-not", "f", "Or else?", "looks", "not-asked", why="needs --storage URL"),
    Found("e-odd", "f", "Not so?", "counts on no", "told", HOSTILE, counts_on=("no",), seen=(Seen(".drop", HOSTILE),)),
)
UNPROBED = (Unprobed("never", "And never?", "no way"),)


def run(found=FOUND, **more):
    times = {"began": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:05:00+00:00"}
    known = {"service": {"BuildVersion": "1.2", "ProductVersion": "x"}, "read_only": False, "found": found}
    return Probed(cluster="https://c", database="D", wire="azure", kxrecon="0.1.0", **times, **known, **more)


def test_text_begins_with_what_is_unexpected_and_gathers_what_was_not_asked():
    text = plain(report.text(run()))
    lines = text.splitlines()
    assert lines[0] == "https://c (azure), database D, version 1.2 x"
    assert lines[1].startswith("  ! e-odd") and "kxrecon counts on no" in lines[2]
    assert ".drop" in text and '{"cell": 1}' not in text
    assert "not asked, needs --storage URL:\n      c-not, d-not\n" in text
    assert lines[-1] == "2 told, 1 open, 2 not asked; 1 is not what kxrecon counts on."
    assert "\x1b" not in text and '{"cell": 1}' in plain(report.text(run(), verbose=True))


def test_what_was_left_behind_is_said_with_what_to_send():
    left = (Left("table T", "refused", ".drop table ['T']"),)
    text = plain(report.text(run(left=left, stopped="interrupted")))
    assert (
        "LEFT BEHIND: table T: refused\n      .drop table ['T']\n" in text
        and "counts on; stopped: interrupted.\n" in text
    )
    assert ".drop table" in report.as_markdown(run(left=left), UNPROBED)
    assert plain(report.cleared(())) == "nothing of the probe is left.\n"
    assert "1 left behind." in plain(report.cleared(left))


def test_markdown_holds_everything_and_nothing_gets_out_of_it():
    text = report.as_markdown(run(), UNPROBED)
    assert text.startswith("### kxrecon probe: 2 told, 1 open, 2 not asked; 1 is not what kxrecon counts on\n")
    assert "| `a-told` | `yes` | it is | reads both |" in text and "| `e-odd` | ⚠ " in text
    assert "| And never? | no way |" in text and "`c-not`" in text and '→ {"cell": 1}' in text
    outside = re.sub(r"(?s)(`{3,}).*?\1", "", text)
    outside = re.sub(r"(`+)[^\n]*?[^`]\1(?!`)", "", outside)
    assert "<img" not in outside and "@all" not in outside and "\n### no" not in outside and "\x1b" not in text
    assert outside.count("<details>") == outside.count("</details>") == 2


def test_json_says_everything():
    known = json.loads(report.as_json(run(), UNPROBED))
    assert known["format"] == 1 and known["service"]["BuildVersion"] == "1.2"
    assert [one["surprising"] for one in known["found"]] == [False] * 4 + [True]
    assert known["found"][0]["seen"] == [{"said": ".show x", "answered": '{"cell": 1}'}]
    assert known["unprobed"] == [{"id": "never", "question": "And never?", "why": "no way"}]


def test_a_surprise_needs_an_answer_that_is_not_counted_on():
    odd = FOUND[-1]
    assert odd.surprising and not any(one.surprising for one in FOUND[:-1])
    assert run().surprises == (odd,)
