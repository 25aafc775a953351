"""Writes the files of a run into the local folder that plays the containers.

Names are ``<prefix><export>_<n><extension>``; a file is never written over, as an export never does: what a
failed run left behind stays, and is not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kxrecon.sandbox.kusto.errors import KustoError
from kxrecon.sandbox.kusto.values import canonical
from kxrecon.sandbox.scheduler import formats, layout
from kxrecon.sandbox.scheduler.verdicts import Subject
from kxrecon.sandbox.store import Document

Row = Sequence[Any]


class OutsideFolder(KustoError):
    """The path of an external table leads out of its container."""


@dataclass(frozen=True, slots=True)
class Written:
    """One file: where it is here, the address it stands for, rows and bytes."""

    local: Path
    path: str
    records: int
    size: int


def write(subject: Subject, rows: Sequence[Row], folder: Path, on_file: Callable[[Written], None]) -> None:
    """Write all rows; ``on_file`` is told of each file once it is complete."""
    external = subject.target()
    form = file_format(subject, external)
    number, first = 0, True
    for directory, members in partitioned(external, form, rows):
        for chunk in formats.split(form, members):
            connection = external["connections"][number % len(external["connections"])]
            content = formats.encode(form, chunk, first)
            on_file(_file(subject, connection, directory, (form, content, len(chunk)), folder))
            number, first = number + 1, False


def partitioned(external: Document, form: formats.Format, rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows by the directory that they belong to, in order of first appearance."""
    names = [name for name, _ in form.columns]
    kinds = dict(form.columns)
    partitions = [{**one, "columnType": kinds.get(one.get("column") or "")} for one in external.get("partitions") or ()]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        values = dict(zip(names, row, strict=True))
        groups.setdefault(layout.directories(partitions, external.get("pathFormat"), values), []).append(row)
    yield from groups.items()


def file_format(subject: Subject, external: Document) -> formats.Format:
    """How the files of an external table look, from its definition and the export's properties."""
    given = {name.lower(): value for name, value in (external.get("properties") or {}).items()}
    export = subject.job.properties
    compressed = str(given.get("compressed", False)).lower() == "true"
    return formats.Format(
        kind=str(external["dataFormat"]).lower(),
        columns=tuple((str(name), canonical(str(kind))) for name, kind in external["columns"]),
        headers=str(given.get("includeheaders") or "none").lower(),
        compression=str(given.get("compressiontype") or "gzip").lower() if compressed else None,
        encoding=str(given.get("encoding") or "utf8nobom").lower(),
        extension=str(given.get("fileextension") or ""),
        size=int(export.get("sizeLimit") or formats.DEFAULT_SIZE),
        row_group=int(export.get("parquetRowGroupSize") or 100_000),
    )


def _file(
    subject: Subject, connection: Document, directory: str, content: tuple[formats.Format, bytes, int], folder: Path
) -> Written:
    form, data, records = content
    root = (folder / str(connection["account"]) / str(connection["container"])).resolve()
    path = "/".join(part.strip("/") for part in (str(connection.get("path") or ""), directory) if part.strip("/"))
    place = (root / path).resolve()
    prefix = str((subject.target().get("properties") or {}).get("namePrefix") or "")
    stem = f"{prefix}{subject.job.key[2]}_"
    if not place.is_relative_to(root) or "/" in stem or "/" in form.suffix or "\\" in stem + form.suffix:
        raise OutsideFolder(f"The path '{path}' and the file name '{stem}1{form.suffix}' do not stay in the container.")
    place.mkdir(parents=True, exist_ok=True)
    local = _create(place, stem, form.suffix, data)
    where = local.relative_to(root).as_posix()
    return Written(local, f"{address(connection)}/{where}", records, len(data))


def _create(place: Path, stem: str, suffix: str, data: bytes) -> Path:
    """A new file under the next free number."""
    number = 1 + max((_number(path.name, stem) for path in place.iterdir()), default=0)
    while True:
        local = place / f"{stem}{number}{suffix}"
        try:
            with local.open("xb") as file:
                file.write(data)
        except FileExistsError:
            number += 1
            continue
        return local


def _number(name: str, stem: str) -> int:
    digits = name.removeprefix(stem).partition(".")[0] if name.startswith(stem) else ""
    return int(digits) if digits.isdecimal() else 0


def address(connection: Document) -> str:
    """The container's address as the artifacts show it, without credentials."""
    return f"https://{connection['host']}/{connection['container']}"
