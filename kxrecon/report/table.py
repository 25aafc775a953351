"""Rows under column names, aligned: for small answers that people look at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from kxrecon.report.lines import Line
from kxrecon.report.safe import visible

WIDEST = 60


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[Line]:
    """A line per row; what is wider than WIDEST characters is cut with an ellipsis, but not in the last column."""
    cells = [[_cell(value, last=number == len(row) - 1) for number, value in enumerate(row)] for row in rows]
    widths = [max([len(name), *(len(row[number]) for row in cells)]) for number, name in enumerate(columns)]
    yield (("  ".join(f"{visible(name):<{width}}" for name, width in zip(columns, widths, strict=True)), "bold"),)
    for row in cells:
        yield (("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)), ""),)


def _cell(value: Any, *, last: bool) -> str:
    text = visible(value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False))
    return text if last or len(text) <= WIDEST else text[: WIDEST - 1] + "…"
