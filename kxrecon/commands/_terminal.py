"""Printing reports and asking people: the only module of the commands that looks at the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from kxrecon.commands._options import wants_colour
from kxrecon.report.lines import Line, coloured, plain
from kxrecon.report.safe import visible


def show(options: argparse.Namespace, lines: Iterable[Line]) -> None:
    """Print a report, coloured if it is read on a terminal."""
    write(coloured(lines) if wants_colour(options, sys.stdout.isatty()) else plain(lines))


def write(text: str) -> None:
    """Print text as it is, whatever the terminal's encoding can show of it."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def complain(messages: Iterable[str]) -> None:
    """Say something beside an output that a machine reads."""
    for message in messages:
        print(visible(message, keep="\n"), file=sys.stderr)


def on_terminal() -> bool:
    """True if somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(question: str) -> bool:
    """Ask; only a plain ``yes`` is a yes."""
    write(f"{question} Only 'yes' goes on: ")
    return sys.stdin.readline().strip().lower() == "yes"
