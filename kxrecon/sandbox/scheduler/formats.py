"""The bytes of exported files: csv, tsv, json lines and Parquet, split by size, compressed where asked.

("learn.microsoft.com, Create and alter Azure Storage external tables": dataformat and its properties.)
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.scheduler.cells import as_column, as_json, as_text

Column = tuple[str, str]
Row = Sequence[Any]
EXPORTED = ("csv", "tsv", "json", "parquet")
DEFAULT_SIZE = 100 * 1024 * 1024
_DUCK = {
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
}
_CODECS = {"gzip": "gzip", "snappy": "snappy", "lz4_raw": "lz4_raw", "brotli": "brotli", "zstd": "zstd"}


@dataclass(frozen=True, slots=True)
class Format:
    """How an external table's files are written; ``size`` is in bytes before compression."""

    kind: str
    columns: tuple[Column, ...]
    headers: str = "none"
    compression: str | None = None
    encoding: str = "utf8nobom"
    extension: str = ""
    size: int = DEFAULT_SIZE
    row_group: int = 100_000

    @property
    def suffix(self) -> str:
        """What a file's name ends with."""
        plain = self.extension or f".{self.kind}"
        return plain + (".gz" if self.compression and self.kind != "parquet" else "")


def split(format: Format, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of each file: a new one begins once the limit is passed (a row is never cut)."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += sum(len(as_text(value)) + 1 for value in row)
        if size >= format.size:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def encode(format: Format, rows: Sequence[Row], first: bool) -> bytes:
    """A file's content. ``first``: it is the first of its run (``includeHeaders=FirstFile``)."""
    if format.kind == "parquet":
        return _parquet(format, rows)
    if format.kind == "json":
        text = _json(format, rows)
    elif format.kind in ("csv", "tsv"):
        text = _delimited(format, rows, format.headers == "all" or (format.headers == "firstfile" and first))
    else:
        raise NotImitated(f"continuous export to dataformat={format.kind}")
    content = text.encode("utf-8-sig" if format.encoding == "utf8bom" else "utf-8")
    # mtime=0: the same rows give the same bytes
    return gzip.compress(content, mtime=0) if format.compression else content


def _json(format: Format, rows: Sequence[Row]) -> str:
    names = [name for name, _ in format.columns]
    lines = (dict(zip(names, map(as_json, row), strict=True)) for row in rows)
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


def _delimited(format: Format, rows: Sequence[Row], headers: bool) -> str:
    out = io.StringIO()
    table = csv.writer(out, delimiter="," if format.kind == "csv" else "\t", lineterminator="\r\n")
    if headers:
        table.writerow([name for name, _ in format.columns])
    table.writerows([as_text(value) for value in row] for row in rows)
    return out.getvalue()


def _parquet(format: Format, rows: Sequence[Row]) -> bytes:
    # Imported here: only the sandbox's extra brings it, and only Parquet needs it.
    import duckdb

    columns = ", ".join(f"{_quoted(name)} {_DUCK.get(kind, 'VARCHAR')}" for name, kind in format.columns)
    marks = ", ".join("?" for _ in format.columns)
    values = [[as_column(value, kind) for value, (_, kind) in zip(row, format.columns, strict=True)] for row in rows]
    codec = _CODECS.get(format.compression or "", "uncompressed")
    with TemporaryDirectory() as folder, duckdb.connect(":memory:") as connection:
        path = Path(folder) / "rows.parquet"
        connection.execute(f"CREATE TABLE rows ({columns})")
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", values)
        where = str(path).replace("'", "''")
        options = f"FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE {format.row_group}"
        connection.execute(f"COPY rows TO '{where}' ({options})")
        return path.read_bytes()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
