"""The YAML reader: values, positions, and odd input, through the C parser and the pure one alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.spec import yaml
from kxrecon.spec.source import Source
from kxrecon.spec.yaml import parse


def read(text: str, pure: bool = False) -> Source:
    source = parse("spec.yaml", text, pure=pure)
    assert isinstance(source, Source), source
    return source


def refusal(text: str, pure: bool = False) -> str:
    found = parse("spec.yaml", text, pure=pure)
    problems = found.problems if isinstance(found, Source) else found
    assert problems
    return "\n".join(str(problem) for problem in problems)


both = pytest.mark.parametrize("pure", [False, True], ids=["c", "pure"])


def test_the_c_parser_is_installed():
    assert yaml.CParser is not None


@both
def test_scalars_follow_the_core_schema(pure):
    source = read(
        "timespan: 1:00:00\nclock: 01:30:00\nno: no\non: on\ndate: 2026-12-01\noctal: 017\nint: 10\nhex: 0x1f\n"
        "float: 1.5\nexponent: 1e3\nhuge: 99999999999999999999\ninf: .inf\nnan: .nan\nyes: true\nnull: ~\nempty:\n"
        "quoted: '10'\nversion: 1.2.3\ndash: -x\ntyped: !!str 10\n",
        pure,
    )
    assert source.document == {
        "timespan": "1:00:00",
        "clock": "01:30:00",
        "no": "no",
        "on": "on",
        "date": "2026-12-01",
        "octal": 17,
        "int": 10,
        "hex": 31,
        "float": 1.5,
        "exponent": 1000.0,
        "huge": "99999999999999999999",
        "inf": ".inf",
        "nan": ".nan",
        "yes": True,
        "null": None,
        "empty": None,
        "quoted": "10",
        "version": "1.2.3",
        "dash": "-x",
        "typed": "10",
    }
    assert source.nulls


@both
def test_every_key_and_item_has_its_place(pure):
    source = read("a:\n  b: 1\n  c: [x, {d: y}]\n'e f':\n- z\n", pure)
    places = {
        path: str(source.find(path))
        for path in [("a",), ("a", "b"), ("a", "c", 0), ("a", "c", 1), ("a", "c", 1, "d"), ("e f", 0)]
    }
    assert places == {
        ("a",): "spec.yaml:1:1",
        ("a", "b"): "spec.yaml:2:3",
        ("a", "c", 0): "spec.yaml:3:7",
        ("a", "c", 1): "spec.yaml:3:10",
        ("a", "c", 1, "d"): "spec.yaml:3:11",
        ("e f", 0): "spec.yaml:5:3",
    }
    assert source.find(("a", "x")) is None
    assert source.find(("a", "c", 7)) is None


@both
def test_aliases_share_and_merge_keys_yield(pure):
    source = read(
        "one: &one {a: 1, b: 2}\ntwo: *one\nthree: {<<: *one, b: 3, c: 4}\nfour: {<<: [{d: 1}, *one], a: 9}\n", pure
    )
    assert source.document["two"] is source.document["one"]
    assert source.document["three"] == {"b": 3, "c": 4, "a": 1}
    assert source.document["four"] == {"a": 9, "d": 1, "b": 2}
    assert str(source.find(("three", "a"))) == "spec.yaml:1:12"
    assert str(source.find(("three", "c"))) == "spec.yaml:3:25"
    assert str(source.find(("two",))) == "spec.yaml:2:1"


@both
def test_anchors_on_scalars_and_keys(pure):
    source = read('columns: &events "A:long"\nsame: *events\n&key other: 1\n', pure)
    assert source.document == {"columns": "A:long", "same": "A:long", "other": 1}


@both
def test_duplicate_keys_are_problems_and_the_rest_is_read(pure):
    source = read("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n", pure)
    assert [str(problem.place) for problem in source.problems] == ["spec.yaml:3:1", "spec.yaml:4:11"]
    assert "'a' appears twice" in source.problems[0].message
    assert source.document == {"a": 3, "b": 2, "c": {"d": 2}}


@both
@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "the file is empty"),
        ("# nothing\n", "1:1", "the file is empty"),
        ("- a\n", "1:1", "holds a list"),
        ("text", "1:1", "holds a single value"),
        ("a: {url: ${x}}", "1:10", "${x} stands unquoted inside { }"),
        ("a: [ ${x} ]", "1:6", "${x} stands unquoted inside { }"),
        ("a:\n\tb: c", "2:1", "a tab indents this line"),
        ("a: \x01b", "1:4", "U+0001 is not allowed"),
        ("a: b\nc: \x7f", "2:4", "U+007F is not allowed"),
        ("a: \ud800", "1:4", "U+D800 is not allowed"),
        ("a: b\n---\nc: d", "2:1", "a second document begins here"),
        ("a: b: c", "1:5", "quote a text that holds ': '"),
        ("a: @b", "1:4", "quote a text that begins with @"),
        ("a: *b", "1:4", "there is no anchor '&b'"),
        ("a: &x [*x]", "1:8", "contains itself"),
        ("a: " + "[" * 900, "1:67", "levels deep"),
        ("a: !python/object:os.system x", "1:4", "means nothing here"),
        ("{a: b}: c", "1:1", "a key must be plain text"),
        ("? [a]\n: b", "1:3", "a key must be plain text"),
        ("a: {<<: 1}", "1:5", "'<<' takes a mapping"),
        ("a: 'b", "1:6", "not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text, place, words, pure):
    told = refusal(text, pure)
    assert words in told
    line, column = place.split(":")
    if not told.startswith(f"spec.yaml:{place}:"):  # the two parsers stumble at slightly different columns
        assert pure and told.startswith(f"spec.yaml:{line}:"), told


@both
def test_a_url_in_flow_context_needs_no_quotes(pure):
    source = read("a: {url: https://contoso.example/x, more: [https://other.example:443]}\n", pure)
    assert source.document == {"a": {"url": "https://contoso.example/x", "more": ["https://other.example:443"]}}


@both
def test_brackets_without_end_are_refused_in_bounded_time(pure):
    assert "levels deep" in refusal("a: " + "[" * 100_000, pure)


@both
def test_alias_bombs_end_early(pure):
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    assert "aliases expand to more than" in refusal("\n".join(lines), pure)


def test_merge_bombs_end_early():
    wide = "{" + ", ".join(f"k{number}: 1" for number in range(2000)) + "}"
    uses = "\n".join(f"m{number}: {{<<: *w}}" for number in range(600))
    assert "aliases expand to more than" in refusal(f"w: &w {wide}\n{uses}")


_text = st.text(alphabet="ab:{}[]&*<>-?|'\"#%@!$\t\n ,0.~\x85\u2028é", max_size=60)


@both
@settings(deadline=None, max_examples=300)
@given(text=_text)
def test_any_text_gives_a_document_or_problems_with_places(pure, text):
    result = parse("spec.yaml", text, pure=pure)
    problems = result.problems if isinstance(result, Source) else result
    assert all(problem.place is not None and problem.place.line >= 1 for problem in problems)


_scalars = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(alphabet="abcé:0 -~'", max_size=8)
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc:~", max_size=4), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), _trees, max_size=4))
def test_json_is_read_as_json_and_every_path_is_found(tree):
    import json

    source = parse("spec.yaml", json.dumps(tree, ensure_ascii=True))
    assert isinstance(source, Source)
    assert source.document == tree
    for path in _paths(tree, ()):
        assert source.find(path) is not None


def _paths(value, path):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from _paths(inner, (*path, step))
