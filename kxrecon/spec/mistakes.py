"""What a YAML parser says, in the words of somebody who has to mend the file."""

from __future__ import annotations

import re
from typing import Any, Final

from kxrecon.errors import Place, Problem

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_VARIABLE: Final = re.compile(r"\$\{[A-Za-z0-9_]*\}?")


def control_character(file: str, text: str) -> Problem:
    """The problem of a character that YAML does not allow, at its first occurrence."""
    found = _CONTROL.search(text)
    offset = found.start() if found else 0
    what = f"the character U+{ord(found.group()):04X} is" if found else "some character is"
    return Problem(f"{what} not allowed in YAML", place=place_of(file, text, offset), remedy="write it as an escape")


def place_of(file: str, text: str, offset: int) -> Place:
    """The place of a character offset in a text."""
    start = text.rfind("\n", 0, offset) + 1
    return Place(file, text.count("\n", 0, offset) + 1, offset - start + 1)


def syntax_problem(file: str, text: str, error: Any) -> Problem:
    """A syntax error of the parser, with the likely cause where the line shows it."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    place = Place(file, line + 1, column + 1)
    written = _line(text, line)
    variable = _unquoted_variable(written)
    if variable is not None:
        name, at = variable
        return Problem(
            f"{name} stands unquoted inside {{ }} or [ ]",
            place=Place(file, line + 1, at + 1),
            remedy=f'quote the whole value: "…{name}…"',
        )
    if "\t" in written[: column + 1]:
        return Problem("a tab indents this line", place=place, remedy="YAML indents with spaces only")
    problem = str(error.problem or error.context or "not YAML").replace("could not find", "did not find")
    if "nesting depth" in problem:
        return Problem("too many levels deep", place=place)
    context = f" {error.context}" if error.context and error.problem else ""
    return Problem(f"not valid YAML: {problem}{context}", place=place, remedy=_remedy(problem))


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number] if number < len(lines) else ""


def _unquoted_variable(written: str) -> tuple[str, int] | None:
    """The first ``${x}`` of a line that stands in a flow mapping or list without quotes, with its column."""
    for found in _VARIABLE.finditer(written):
        before = written[: found.start()]
        quoted = before.count('"') % 2 or before.count("'") % 2
        if re.search(r"[{\[]", before) and not quoted:
            return found.group(), found.start()
    return None


def _remedy(problem: str) -> str | None:
    if "unexpected ':'" in problem:
        return "quote a text that holds ':' inside { } or [ ]"
    if "mapping values" in problem:
        return "quote a text that holds ': '"
    if "cannot start any token" in problem:
        return "quote a text that begins with @, `, % or a tab"
    return None
