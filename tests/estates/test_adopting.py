"""docs/adopting.md, executed: its files written, its commands run in their order, with the words that it promises.

In a console block a line after ``$`` is a command; every other line is something that it prints. Its exit code is 0,
unless ``$ echo $?`` and a number follow.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kxrecon import cli

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass
class Command:
    line: str
    code: int = 0
    printed: list[str] = field(default_factory=list)


def steps(page: str) -> Iterator[Command | tuple[str, str]]:
    """Commands, and files as (path, text)."""
    for kind, block in BLOCK.findall(page):
        if kind == "yaml":
            yield block.split("\n", 1)[0].removeprefix("# "), block
        else:
            yield from commands(block.splitlines())


def commands(lines: list[str]) -> Iterator[Command]:
    found: list[Command] = []
    for line in lines:
        if line == "$ echo $?":
            continue
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif re.fullmatch(r"\d+", line):
            found[-1].code = int(line)
        else:
            found[-1].printed.append(line)
    return iter(found)


def run(command: Command, capsys) -> None:
    """Check one command; what is no kxrecon is the shell's."""
    if command.line.startswith("while read"):
        for text in Path("docs/adopting/estate.kql").read_text().splitlines():
            assert cli.main(["sandbox", "kql", "--database", "Telemetry", text]) == 0, text
        return
    if not command.line.startswith("kxrecon "):
        subprocess.run(["sh", "-c", command.line], check=True)
        return
    capsys.readouterr()
    code = cli.main(shlex.split(command.line)[1:])
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    assert code == command.code, f"{command.line}\n{printed}"
    missing = [line for line in command.printed if " ".join(line.split()) not in " ".join(printed.split())]
    assert not missing, f"{command.line} does not print {missing}\n{printed}"


def test_the_page_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DOCS / "adopting", tmp_path / "docs" / "adopting")
    done = list(steps((DOCS / "adopting.md").read_text()))
    for step in done:
        if isinstance(step, Command):
            run(step, capsys)
        else:
            path, text = step
            Path(path).write_text(text)
    verbs = {shlex.split(one.line)[1] for one in done if isinstance(one, Command) and one.line.startswith("kxrecon")}
    assert verbs >= {"import", "plan", "apply", "drift", "diff", "render", "rotate", "permissions", "status"}
