"""Editing a spec's file: what is edited changes, and not one character of the rest."""

from __future__ import annotations

import io
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kxrecon.spec.edit import Put, Take, edited

SPECS = Path(__file__).parents[2] / "specs"
TEXT = """\
# at the top
version: 1
cluster:   # of the team
  identities: { system: true, 'exporter': /one }   # CHG0042

targets:
  # the lake
  lake: { url: "https://x.blob.core.windows.net/${env}",
          auth: impersonate }

  dwh: {server: s, database: d}
roles:
    - one
    - two  # it's {odd}
more:
  a: [ x, y ]

  # about b
  b: |
    text { as: it is }
"""


def diff(before, after):
    return [one for one in unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0) if one[:1] in "+-"][
        2:
    ]


@pytest.mark.parametrize("text", [TEXT, *(path.read_text() for path in sorted(SPECS.glob("*.yaml")))])
def test_without_edits_nothing_changes(text):
    assert edited(text, []) == text


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (
            Put(("cluster", "identities", "old"), "/two", after="exporter"),
            [
                "-  identities: { system: true, 'exporter': /one }   # CHG0042",
                "+  identities: { system: true, 'exporter': /one, old: /two } # CHG0042",
            ],
        ),
        (Put(("more", "a", 0), "z"), ["-  a: [ x, y ]", "+  a: [ z, y ]"]),
        (Put(("more", "c"), 3, after="a"), ["+  c: 3"]),
        (Put(("new", "section"), {"from": "a b", "runs": 2}), ["+new:", "+  section: { from: a b, runs: 2 }"]),
        (
            Put(("targets", "dwh", "server"), "t"),
            ["-  dwh: {server: s, database: d}", "+  dwh: { server: t, database: d }"],
        ),
        (Take(("more", "b")), ["-", "-  # about b", "-  b: |", "-    text { as: it is }"]),
        (Take(("not", "there")), []),
        (Take(("version",)), ["-version: 1"]),
    ],
)
def test_only_the_lines_concerned_change(edit, lines):
    assert diff(TEXT, edited(TEXT, [edit])) == lines


def test_an_entry_that_spans_lines_is_laid_out_afresh_and_only_it():
    after = edited(TEXT, [Put(("targets", "lake", "url"), "https://y.blob.core.windows.net/a")])
    changed = diff(TEXT, after)
    assert len(changed) == 3 and '+  lake: { url: "https://y.blob.core.windows.net/a", auth: impersonate }' in changed


def test_an_empty_file_gets_its_first_entry():
    assert edited("", [Put(("a", "b"), 1)]) == "a:\n  b: 1\n"


keys = st.sampled_from(["a", "b", "it's", "x-y", "${z}", "no", "1"])
leaves = st.sampled_from(
    [1, True, None, "", "plain", "a: b", "{x}", "${env}", "# no", "- x", "it's", 'say "hi"', "two\nlines"]
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
documents = st.dictionaries(keys, values, min_size=1, max_size=4)


def written(document, flow):
    yaml = YAML()
    yaml.default_flow_style = flow
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def put(document, path, value):
    *above, last = path
    for step in above:
        if not isinstance(document.get(step), dict):
            return False
        document = document[step]
    document[last] = value
    return True


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(documents, st.lists(keys, min_size=1, max_size=2), values, st.sampled_from([True, False, None]))
def test_whatever_the_file_holds_it_says_afterwards_what_the_edit_says(document, path, value, flow):
    text = written(document, flow)
    wanted = YAML(typ="safe").load(text)
    if put(wanted, path, value):
        after = edited(text, [Put(tuple(path), value)])
        assert YAML(typ="safe").load(after) == wanted, (text, after)
