"""docs/adopting.md, executed: its commands in their order, with the exit codes and words that it promises."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from ruamel.yaml import YAML

from kxrecon import cli
from kxrecon.sandbox.embedded import embed

from .raw import Estate, Feed
from .test_import_laws import estate_of

PAGE = (Path(__file__).parents[2] / "docs" / "adopting.md").read_text()


def commands():
    return [shlex.split(line[2:])[1:] for line in PAGE.splitlines() if line.startswith("$ kxrecon ")]


def made_by_hand(feed):
    with embed(Path(".kxrecon/sandbox.db")) as ends:
        Estate(ends).feed(feed)


def without(name):
    path = Path("specs/telemetry.yaml")
    yaml = YAML()
    document = yaml.load(path.read_text())
    del document["databases"]["Telemetry"]["continuousExports"][name]
    with path.open("w") as file:
        yaml.dump(document, file)


def test_the_page_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".kxrecon").mkdir()
    with estate_of(tmp_path / ".kxrecon", [Feed(name="Archive"), Feed(name="Landing", place="acl")], name="sandbox.db"):
        pass
    seen = []

    def run(argv):
        if "kql" in argv:
            argv = [*argv[:2], "--sandbox-file", ".kxrecon/sandbox.db", *argv[2:]]
        code = cli.main(argv)
        captured = capsys.readouterr()
        seen.append((argv[0], code, captured.out + captured.err))

    steps = iter(commands())
    for _ in range(6):
        run(next(steps))
    made_by_hand(Feed(name="Extra"))
    for _ in range(2):
        run(next(steps))
    without("Extra")
    for argv in steps:
        run(argv)

    codes = [(verb, code) for verb, code, _ in seen]
    assert codes == [
        ("import", 0),
        ("plan", 0),
        ("sandbox", 0),
        ("drift", 2),
        ("apply", 0),
        ("drift", 0),
        ("import", 0),
        ("plan", 0),
        ("plan", 0),
        ("plan", 0),
        ("permissions", 0),
        ("plan", 0),
    ], seen
    promised = re.findall(r"`(isDisabled  true → false|continuous_export [^`]*does not have it)`", PAGE)
    assert promised[0] in seen[3][2]
    assert promised[1] in seen[8][2]
    assert "kxrecon import" in seen[8][2] and ".drop continuous-export" in seen[8][2]
