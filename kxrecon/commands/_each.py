"""Verbs that look at one spec after the other: one that fails is told, the others go on, the worst exit code counts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._terminal import show, write
from kxrecon.errors import KxreconError
from kxrecon.report.lines import line, wrapped
from kxrecon.report.safe import block, code

if TYPE_CHECKING:
    from kxrecon.report.lines import Line


@dataclass(frozen=True, slots=True)
class Looked:
    """What a verb found for one spec: a record for ``--json``, lines for people, a page for ``--markdown`` where the
    verb has one, and its exit code."""

    record: Mapping[str, Any]
    lines: Iterable[Line]
    code: int = DONE
    markdown: str = ""


Look = Callable[[argparse.Namespace], Looked]


def several(options: argparse.Namespace) -> list[Sequence[str]] | None:
    """The files of each spec that the command line means; None if it is one alone, which has no name in reports."""
    if len(options.specs) == 1 and not options.shard and not Path(options.specs[0]).is_dir():
        return None  # the usual case imports nothing more, and is read once
    from kxrecon.commands import _fleet

    found = _fleet.fleet(options, options.specs)
    return None if found is None else [member.files for member in found]


def each(options: argparse.Namespace, look: Look) -> int:
    """Look at every spec that the command line means, and tell it: one alone as the verb tells it, those of a fleet
    below their names. KxreconError only where one alone is meant."""
    found = several(options)
    if found is None:
        looked = look(options)
        _tell(options, looked)
        return looked.code
    from kxrecon.commands._fleet import worst

    records, codes = [], []
    for files in found:
        looked = _safely(options, files, look)
        records.append({"files": list(files), **looked.record})
        codes.append(looked.code)
        if not options.json:
            _tell(options, looked, ", ".join(files))
    if options.json:
        _write({"specs": records})
    return worst(codes)


def _of(options: argparse.Namespace, files: Sequence[str]) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "specs": list(files)})


def _tell(options: argparse.Namespace, looked: Looked, name: str = "") -> None:
    if options.json:
        _write(looked.record)
    elif getattr(options, "markdown", False):
        write((f"## {code(name)}\n\n" if name else "") + looked.markdown)
    else:
        show(options, [*([line(name, "bold")] if name else []), *looked.lines])


def _write(record: Mapping[str, Any]) -> None:
    write(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _safely(options: argparse.Namespace, files: Sequence[str], look: Look) -> Looked:
    """What was found, or what went wrong: said of that spec."""
    try:
        return look(_of(options, files))
    except KxreconError as error:
        message = str(error)
        return Looked({"error": message}, wrapped(message, "warn", indent=4), FAILED, f"{block(message)}\n")
