import json
from pathlib import Path

from kxrecon import cli

PAGE = Path(__file__).parents[2] / "docs" / "spec.md"


def test_the_published_reference_is_current(capsys):
    assert cli.main(["schema", "--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8"), "run: kxrecon schema --markdown > docs/spec.md"


def test_the_overlay_requires_nothing(capsys):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["required"] == ["version"]
    assert cli.main(["schema", "--overlay"]) == 0
    assert "required" not in json.loads(capsys.readouterr().out)
