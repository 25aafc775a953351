"""Every text in the code that begins like a command is one to the grammar, whatever its code can put into it."""

from __future__ import annotations

import re

import pytest

from tests.witness.grammar import templates
from tests.witness.grammar.exceptions import TEXTS
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR
TITLE = "Kusto's grammar (a): every command as it stands in the code"
ALL = templates.templates()


@pytest.mark.parametrize("template", ALL, ids=lambda one: f"{one.file}:{one.text[:60]}")
def test_every_command_of_the_code_is_one(template):
    assert template.open() == [], f"{template.file}:{template.line}: quote it with kql, or list what can stand there"
    for text in template.filled():
        verdict = judge(text, tokens=False)
        assert verdict.accepted or any(re.search(known, text) for known in TEXTS), (text, verdict.syntax)
        tally(TITLE).count("commands judged")
    tally(TITLE).count("templates")


def test_every_list_is_needed():
    assert len(ALL) > 40
    holes = {(one.file, hole) for one in ALL for hole in one.parts[1::2]}
    assert set(templates.HOLES) <= holes
    for file, ends in templates.ENDS.items():
        for end in ends:
            used = [one.text for one in ALL if one.file == file and one.text.startswith(end.begins)]
            assert used and all(end.cut in text for text in used), end
    for file, text in templates.NONE:
        assert text in (templates.PACKAGE / file).read_text("utf-8")


def test_a_bare_name_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "new.py").write_text(
        'def drop(name):\n    """.drop table {name}"""\n    return f".drop table {name}"\n'
    )
    monkeypatch.setattr(templates, "PACKAGE", tmp_path)
    [found] = templates.templates()
    assert (found.text, found.line, found.open()) == (".drop table {name}", 3, ["name"])
