"""Each rule: a case that triggers it, and a near miss that does not (cases/KX….yaml). Every rule has both, and a section."""

from __future__ import annotations

from pathlib import Path

import pytest

from kxrecon.commands.lint import placed
from kxrecon.lint import rules
from kxrecon.lint.pack import BY_TEXT
from tests.lint.case import HERE, Case, read
from tests.witness.judge import CLR

DOCS = Path(__file__).parents[2] / "docs" / "lint.md"
FILES = {path.stem: read(path) for path in sorted((HERE / "cases").glob("KX*.yaml"))}
BY_SERVICE = {"KX130", "KX131"}
CASES = [
    pytest.param(code, data, id=f"{code}-{name}".replace(" ", "-"))
    for code, file in FILES.items()
    for name, data in {"": file["case"], **file.get("more", {})}.items()
]
NEAR = [
    pytest.param(code, data, id=f"{code}-{name}".replace(" ", "-"))
    for code, file in FILES.items()
    for name, data in {"": file["near"], **file.get("nearly", {})}.items()
]


def of(code, data, folder, *, deep):
    """The findings with a code, each with the text at its place."""
    case = Case(data)
    spec = case.spec(folder)
    found = placed(spec, case.checked(spec, deep=deep))
    return [(one, after(place)) for one, place in found if one.code == code]


def after(place):
    return Path(place.file).read_text().splitlines()[place.line - 1][place.column - 1 :]


@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=CLR)], ids=["text", "service"])
@pytest.mark.parametrize(("code", "data"), CASES)
def test_a_rule_finds_its_case(code, data, deep, tmp_path):
    if code in BY_SERVICE and not deep:
        return
    found = of(code, data, tmp_path, deep=deep)
    assert found
    if code in BY_TEXT and deep:
        return  # the language service says the same in its own words
    assert any(data.get("says", "") in one.message and text.startswith(data.get("at", "")) for one, text in found), (
        found
    )


@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=CLR)], ids=["text", "service"])
@pytest.mark.parametrize(("code", "data"), NEAR)
def test_a_rule_does_not_find_the_near_miss(code, data, deep, tmp_path):
    assert of(code, data, tmp_path, deep=deep) == []


@CLR
@pytest.mark.parametrize("deep", [False, True], ids=["text", "service"])
@pytest.mark.parametrize("data", [{}, {"cluster": {}}], ids=["offline", "connected"])
def test_the_plain_spec_has_no_findings(tmp_path, data, deep):
    case = Case(data)
    checked = case.checked(case.spec(tmp_path), deep=deep)
    assert checked.findings == ()
    assert checked.unchecked == ()


def test_every_rule_has_a_case_and_a_section():
    known = {one.code for one in rules()}
    assert set(FILES) == known
    sections = [line.split()[1] for line in DOCS.read_text().splitlines() if line.startswith("## KX")]
    assert sections == sorted(known)


def test_every_section_has_the_rule_s_title_and_severity():
    text = DOCS.read_text()
    for one in rules():
        _, _, section = text.partition(f"## {one.code} ")
        title, _, rest = section.partition("\n")
        assert (title, rest.strip().partition(" ")[0]) == (one.title, f"*{one.severity}.*"), one.code
