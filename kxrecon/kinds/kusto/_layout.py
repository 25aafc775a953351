"""How an external table lays out its files: partitions and the path format, in comparable form.

A partition is a record of name, type, function, column and argument; a path format is a text whose
tokens are spelled one way. Source: learn.microsoft.com, Create and alter Azure Storage external tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from kxrecon.kinds.kusto._cells import json_key, list_cell
from kxrecon.kinds.kusto._draft import Draft, nearest
from kxrecon.kql import Columns, identifier, parse_timespan, show_timespan, string, timespan, unquote
from kxrecon.model import HIDDEN, Hidden, Value

Partition = dict[str, Value]

STARTS = ("startOfDay", "startOfWeek", "startOfMonth", "startOfYear")
SOURCES = (*STARTS, "bin", "hash", "column")
# How the size of a bin is shown is documented nowhere.
_ARGUMENTS = ("BinBy", "BinSize", "Argument", "Size", "TimeSpan", "Value")

_STRING = r"""@'(?:[^']|'')*'|@"(?:[^"]|"")*"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_NAME = rf"\[\s*(?:{_STRING})\s*\]|\w+"
_ITEM = re.compile(
    rf"\s*(?:datetime_pattern\s*\(\s*(?P<pattern>{_STRING})\s*,\s*(?P<of>{_NAME})\s*\)"
    rf"|(?P<text>{_STRING})|(?P<name>{_NAME}))\s*",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z_]\w*\Z")


class PathItem(NamedTuple):
    """One piece of a path format: a separator (``text``), or a partition with the pattern of a datetime."""

    text: str = ""
    name: str = ""
    pattern: str = ""


def plain_name(name: str) -> str:
    """A name as people write it: bare where it can be, else in brackets and quotes."""
    return name if _PLAIN.match(name) else identifier(name)


def _meant(name: str) -> str:
    return unquote(name[1:-1].strip()) if name.startswith("[") else name


@lru_cache(maxsize=4096)
def path_items(text: str) -> tuple[PathItem, ...]:
    """The pieces of a path format. Raises ValueError that quotes what is no piece."""
    inner = text.strip()
    inner = inner[1:-1] if inner.startswith("(") and inner.endswith(")") else inner
    items, position = list[PathItem](), 0
    while position < len(inner):
        found = _ITEM.match(inner, position)
        if not found:
            raise ValueError(
                f"neither a text in quotes, a partition nor datetime_pattern(…): {inner[position:][:40]!r}"
            )
        if found["pattern"]:
            items.append(PathItem(name=_meant(found["of"]), pattern=unquote(found["pattern"])))
        elif found["text"]:
            # Texts side by side are one text, however many pieces they are written in.
            before = items.pop().text if items and not items[-1].name else ""
            items.append(PathItem(text=before + unquote(found["text"])))
        else:
            items.append(PathItem(name=_meant(found["name"])))
        position = found.end()
    return tuple(items)


@lru_cache(maxsize=4096)
def canonical_path(text: str | None) -> str | None:
    """A path format spelled one way, None for an empty one. Raises ValueError."""
    return _spell(path_items(text), plain_name) if text and text.strip() else None


def _spell(items: Iterable[PathItem], name: Any) -> str:
    return " ".join(
        string(item.text)
        if not item.name
        else f"datetime_pattern({string(item.pattern)}, {name(item.name)})"
        if item.pattern
        else name(item.name)
        for item in items
    )


def observed_path(cell: Any) -> str | None:
    """A path format as shown; what cannot be read stays as it is and then differs visibly."""
    try:
        return canonical_path(cell)
    except ValueError:
        return str(cell).strip()


def path_names(path: Value) -> set[str]:
    """The partitions that a canonical path format names."""
    return {item.name for item in path_items(path) if item.name} if isinstance(path, str) else set()


# --- from the spec ----------------------------------------------------------------------------------------


def desired_partitions(draft: Draft, docs: Sequence[Mapping[str, Any]], columns: Columns) -> tuple[Partition, ...]:
    """Partitions of a spec entry; what is wrong with them goes to the draft."""
    found = [_desired(draft, index, doc, dict(columns)) for index, doc in enumerate(docs)]
    seen: set[str] = set()
    for index, partition in enumerate(found):
        if partition and partition["name"] in seen:
            draft.wrong(f"partition '{partition['name']}' is there twice", "partitions", index, "name")
        seen.add(partition["name"] if partition else "")
    return tuple(partition for partition in found if partition)


def _desired(draft: Draft, index: int, doc: Mapping[str, Any], columns: Mapping[str, str]) -> Partition | None:
    at = ("partitions", index)
    sources = [source for source in SOURCES if doc.get(source) is not None]
    if len(sources) > 1 or not doc.get("name"):
        draft.wrong("a partition has a name and at most one of " + ", ".join(SOURCES), *at)
        return None
    source = sources[0] if sources else None
    column = str(doc[source]) if source else None
    kind = {"hash": "long", "column": "string", None: str(doc.get("type") or "string")}.get(source, "datetime")
    if doc.get("type") not in (None, kind) or kind not in ("string", "long", "datetime"):
        draft.wrong(f"a partition by {source or 'nothing'} cannot be of type {doc['type']}", *at, "type", remedy=kind)
    if column is not None and source is not None:
        _check_column(draft, column, kind, columns, (*at, source))
    function = source.lower() if source not in (None, "column") and source else None
    argument = _desired_argument(draft, source, doc, at)
    return {"name": str(doc["name"]), "type": kind, "function": function, "column": column, "argument": argument}


def _check_column(draft: Draft, column: str, kind: str, columns: Mapping[str, str], at: tuple[str | int, ...]) -> None:
    if column not in columns:
        draft.wrong(f"unknown column '{column}'", *at, remedy=nearest(column, tuple(columns)))
    elif kind == "datetime" and columns[column] != "datetime":
        draft.wrong(f"column '{column}' is of type {columns[column]}, not datetime", *at)


def _desired_argument(
    draft: Draft, source: str | None, doc: Mapping[str, Any], at: tuple[str | int, ...]
) -> int | None:
    by = doc.get("by")
    if source == "bin":
        ticks = parse_timespan(by) if isinstance(by, str) else None
        if ticks is None or ticks <= 0:
            draft.wrong(f"bin needs by: a timespan, not {by!r}", *at, "by", remedy="such as 1h or 1d")
        return ticks
    if source == "hash":
        if not isinstance(by, int) or isinstance(by, bool) or by < 1:
            draft.wrong(f"hash needs by: the number of partitions, not {by!r}", *at, "by")
            return None
        return by
    if by is not None:
        draft.wrong("by belongs to bin and hash only", *at, "by")
    return None


def desired_path(draft: Draft, text: str, partitions: Sequence[Partition] | None) -> str | None:
    """The path format of a spec entry; what is wrong with it goes to the draft."""
    try:
        items = path_items(text)
    except ValueError as error:
        draft.wrong(f"pathFormat: {error}", "pathFormat", remedy='such as datetime_pattern("yyyy/MM/dd", Day)')
        return None
    names = tuple(partition["name"] for partition in partitions or ())
    for item in items:
        if item.name and partitions is not None and item.name not in names:
            draft.wrong(f"pathFormat: unknown partition '{item.name}'", "pathFormat", remedy=nearest(item.name, names))
    for one, two in zip(items, items[1:], strict=False):
        if one.name and two.name:
            draft.wrong(f'pathFormat needs a separator such as "/" between {one.name} and {two.name}', "pathFormat")
    return canonical_path(text)


# --- as the service shows them ----------------------------------------------------------------------------


def observed_partitions(cell: Any, path: Value) -> tuple[Partition, ...]:
    """Partitions from ``.show external tables``: JSON, as text or taken apart."""
    return _partitions(json_key(cell), path) if cell else ()


@lru_cache(maxsize=4096)
def _partitions(text: str, path: str | None) -> tuple[Partition, ...]:
    found = list_cell(text)
    dated = {item.name for item in path_items(path) if item.pattern} if _readable(path) else set()
    return tuple([_observed(record, dated) for record in sorted(found, key=_ordinal)])


def _readable(path: Value) -> bool:
    return isinstance(path, str) and "datetime_pattern" in path


def _ordinal(record: Mapping[str, Any]) -> int:
    return int(record.get("Ordinal") or 0)


def _observed(record: Mapping[str, Any], dated: set[str]) -> Partition:
    name, column = record["Name"], record.get("ColumnName") or None
    function = str(record.get("Function") or "").lower() or None
    if record.get("Mod") is not None or function == "hash":
        return {"name": name, "type": "long", "function": "hash", "column": column, "argument": record.get("Mod")}
    argument: int | Hidden | None = None
    if function == "bin":
        size = next((parse_timespan(record[key]) for key in _ARGUMENTS if record.get(key) is not None), None)
        argument = HIDDEN if size is None else size
    kind = "datetime" if function or name in dated else "string"
    return {"name": name, "type": kind, "function": function, "column": column, "argument": argument}


# --- as text again ----------------------------------------------------------------------------------------


def partition_clause(partitions: Sequence[Partition], path: Value) -> str:
    """``partition by (…) pathformat=(…)``, or nothing."""
    if not partitions:
        return ""
    clause = f" partition by ({', '.join(map(_render, partitions))})"
    if not isinstance(path, str) or not path_names(path) <= {partition["name"] for partition in partitions}:
        return clause
    return f"{clause} pathformat=({_spell(path_items(path), identifier)})"


def _render(partition: Partition) -> str:
    head = f"{identifier(partition['name'])}:{partition['type']}"
    if partition["column"] is None:
        return head
    column, function = identifier(partition["column"]), partition["function"]
    if function is None:
        return f"{head}={column}"
    if function == "hash":
        return f"{head}=hash({column}, {partition['argument']})"
    if function == "bin":
        return f"{head}=bin({column}, {timespan(partition['argument'])})"
    return f"{head}={function}({column})"


def describe_partition(partition: Partition) -> dict[str, Any]:
    """A partition as the spec writes it."""
    doc: dict[str, Any] = {"name": partition["name"], "type": partition["type"]}
    if partition["column"] is None:
        return doc
    function = partition["function"]
    source = next((source for source in SOURCES if source.lower() == function), "column")
    doc[source] = partition["column"]
    if isinstance(partition["argument"], int):
        doc["by"] = show_timespan(partition["argument"]) if source == "bin" else partition["argument"]
    return doc
