"""The commands as they stand in the code: texts with holes, and what may come to stand in a hole.

A hole is quoted where it is (``identifier(…)``, ``string(…)`` …), or it is listed here with what can be put there. So no
command can be added that nobody looked at, and a name that goes bare into one is in no list. Probes are not here: all
that they send is judged as it is sent (test_what_probes_send.py), and the names in it are constants.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import kxrecon

PACKAGE = Path(kxrecon.__file__).parent
ELSEWHERE = ("probe", "sandbox")
_BEGIN = re.compile(r"\s*\.(?:[a-z]+(?:-[a-z]+)* |\{.*\} (?:database|continuous-export|table|function|cluster) )")

# Calls that quote, by their name → what they may come to.
QUOTED = {
    "identifier": ("['it\\'s']",),
    "string": ("'it\\'s'",),
    "literal": ("true", "false"),
    "column_list": ("['a']:long, ['b c']:string",),
    "json_literal": ('```[{"ObjectId": "system"}]```',),
}
NAME = QUOTED["identifier"]
# The other holes: (file, hole) → what its code can put there, quoted by kql or out of a fixed list.
HOLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("cursors.py", "to"): NAME,
    ("cursors.py", "bounds"): ('cursor_after("1") and cursor_before_or_at("2")',),
    ("cursors.py", "query[:head]"): ("['T']",),
    ("kinds/kusto/_export_command.py", "over"): ("", f" over ({NAME[0]}, ['U'])"),
    ("kinds/kusto/_export_command.py", "verb"): ("enable", "disable"),
    ("kinds/kusto/_reads.py", "wanted"): ("(Tables=true, ExternalTables=true, MaterializedViews=true)",),
    ("kinds/kusto/_reads.py", "policy"): ("ingestiontime", "restricted_view_access", "row_level_security"),
    ("kinds/kusto/_journal.py", "what"): ("'continuous-export'",),
    ("kinds/kusto/database_role.py", "'drop' if gone else 'add'"): ("add", "drop"),
    ("kinds/kusto/database_role.py", "name"): NAME,
    ("kinds/kusto/database_role.py", "role"): ("admins", "ingestors", "monitors", "unrestrictedviewers", "viewers"),
    ("kinds/kusto/function.py", "name"): NAME,
    ("kinds/kusto/function.py", "_text(entity, field)"): ("folder 'x'", "docstring 'x'"),
    ("kinds/kusto/function.py", "options"): ("", " with (folder='x', docstring='y', view=true)"),
    ("kinds/kusto/function.py", "fields['parameters']"): ("()", "(['a b']:string)"),
    ("kinds/kusto/function.py", "braces"): ("{\nT\n}",),
    ("kinds/kusto/managed_identity_policy.py", "entity"): ("cluster", f"database {NAME[0]}"),
    ("kinds/kusto/table.py", "name"): NAME,
    ("kinds/kusto/table.py", "suffix"): ("", " with (folder='x', docstring='y')"),
    ("ledger/table.py", "LEDGER"): ("KxreconLedger",),
    ("ledger/table.py", "columns"): ("['At']:datetime",),
    ("ledger/table.py", "', '.join((f'{name}:{kind}' for name, kind in COLUMNS.items()))"): ("At:datetime",),
    ("ledger/witness.py", "words"): ("ChangeCommand contains 'external table'",),
    ("planes/kusto_operations.py", "operation"): ("00000000-0000-4000-8000-00000000000a",),
}


class End(NamedTuple):
    """A template that is a part of what is sent or said: what is no command, and what comes behind."""

    begins: str
    cut: str = ""
    behind: str = ""


ENDS = {
    "cursors.py": (
        End(".export async to table {to}", cut=" its query, its fact table bounded by: "),
        End(".export async to table {kql", behind='cursor_before_or_at("2")'),
    ),
    "kinds/kusto/_export_command.py": (
        End(".create-or-alter", behind=" with (managedIdentity='system', intervalBetweenRuns=1h) <| T"),
    ),
    "kinds/kusto/database_role.py": (End(".", behind="'aaduser=it\\'s') 'note'"),),
    "kinds/kusto/external_table.py": (
        End(".create-or-alter", behind=" kind=storage dataformat=csv (h@'https://a/b;impersonate')"),
    ),
    "kinds/kusto/managed_identity_policy.py": (End(".alter", behind='```[{"ObjectId": "system"}]```'),),
    "ledger/table.py": (End(".append", behind="datetime(2026-11-25)]"),),
    "lint/cursor.py": (End(".alter table", cut=", or export another table"),),
}
# What begins like a command and is none.
NONE = {
    (
        "kinds/kusto/_journal.py",
        ".create-or-alter with isDisabled=true",
    ): "how an export was disabled, told to people",
}


@dataclass(frozen=True)
class Template:
    """A text of the code that begins like a command: pieces of text (even places) and holes (odd places)."""

    file: str
    line: int
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """As the code has it."""
        return "".join(f"{{{part}}}" if index % 2 else part for index, part in enumerate(self.parts))

    def open(self) -> list[str]:
        """Holes that are neither quoted nor listed."""
        return [hole for hole in self.parts[1::2] if not self._put(hole)]

    def filled(self) -> Iterator[str]:
        """The commands that it can be."""
        end = next((one for one in ENDS.get(self.file, ()) if self.text.startswith(one.begins)), End(""))
        for put in product(*(self._put(hole) for hole in self.parts[1::2])):
            pieces = zip(self.parts[::2], (*put, ""), strict=True)
            text = "".join(piece + value for piece, value in pieces)
            yield (text.replace(end.cut, " ") if end.cut else text) + end.behind

    def _put(self, hole: str) -> tuple[str, ...]:
        called = re.match(r"(?:kql\.)?(\w+)\(.*\)$", hole)
        return QUOTED.get(called[1] if called else "") or HOLES.get((self.file, hole), ())


def templates() -> list[Template]:
    """All of the package, without docstrings."""
    files = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE)
    return [one for path in files for one in _of(path) if (one.file, one.text) not in NONE]


def _of(path: Path) -> Iterator[Template]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in nodes if isinstance(node, ast.JoinedStr)
    }
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if id(node) in inside or id(node) in said:
            continue
        parts = _parts(node)
        one = Template(path.relative_to(PACKAGE).as_posix(), getattr(node, "lineno", 0), parts)
        if parts and _BEGIN.match(one.text):
            yield one


def _parts(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if not isinstance(node, ast.JoinedStr):
        return ()
    parts = [""]
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts[-1] += str(value.value)
        elif isinstance(value, ast.FormattedValue):
            parts += [ast.unparse(value.value), ""]
    return tuple(parts)
