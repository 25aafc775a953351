"""What is done to an answer: as bytes, in its structure, in its columns, in its head, or in its place an exception."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import IncompleteRead, NewConnectionError, ProtocolError

from kxrecon.model import Table
from kxrecon.sandbox.sql.errors import OperationalError
from tests.chaos.fuzz_specs import ODD, twisted
from tests.chaos.replay import Played, without

EVIL = "https://evil.example"
JSON = {"Content-Type": "application/json"}
PAGES = (
    (200, {"Content-Type": "text/html"}, b"<html><body>Sign in to your account</body></html>"),
    (200, {"Content-Type": "text/plain"}, b"OK"),
    (200, {"Content-Type": "application/octet-stream"}, b"\x00\x01\x02" * 50),
    (200, JSON, b""),
    (200, JSON, b"null"),
    (200, JSON, b"[]"),
    (200, JSON, b"{}"),
    (200, JSON, b'"text"'),
    (200, JSON, b"17"),
    (200, JSON, b"{" * 20_000),
    (200, JSON, b"\xff\xfe{\x00}\x00"),
    (200, {"Content-Type": "application/json; charset=utf-7"}, b"+AHs-"),
    (200, {**JSON, "Content-Encoding": "gzip"}, b"this is not gzip"),
    (204, {}, b""),
    (206, JSON, b"{"),
    (400, JSON, b'{"unexpected": true}'),
    (400, {"Content-Type": "text/html"}, b"<h1>Bad Request</h1>"),
    (401, {"WWW-Authenticate": f'Bearer authorization="{EVIL}/common", resource="{EVIL}"'}, b""),
    (401, {"WWW-Authenticate": 'Bearer claims="eyJhIjoxfQ==", error="insufficient_claims"'}, b""),
    (403, JSON, b'{"error": "no"}'),
    (403, JSON, b'{"error": {"code": "AuthorizationFailed", "message": ["no", {"a": 1}]}}'),
    (409, JSON, b'{"error": null}'),
    (418, {}, b"teapot"),
    (429, {"Retry-After": "99999999999"}, b""),
    (429, {"Retry-After": "-5", **JSON}, b'{"error": {"code": 7}}'),
    (429, {"Retry-After": "soon"}, b"slow"),
    (500, JSON, b'{"error": {"@permanent": "maybe", "code": null}}'),
    (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>"),
    (503, {"Retry-After": "Fri, 31 Feb 2099 00:00:00 GMT"}, b""),
    (599, {}, b"?"),
    (302, {"Location": f"{EVIL}/v1/rest/mgmt"}, b""),
    (307, {"Location": EVIL.replace("https", "http")}, b""),
    (308, {"Location": "//evil.example/"}, b""),
    (301, {"Location": "file:///etc/passwd"}, b""),
    (303, {}, b""),
)
FAILURES: tuple[Callable[[], Exception], ...] = (
    lambda: requests.exceptions.SSLError(
        ssl.SSLCertVerificationError("certificate verify failed: self-signed certificate")
    ),
    lambda: requests.exceptions.ConnectionError(
        ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    ),
    lambda: requests.exceptions.ConnectTimeout("timed out"),
    lambda: requests.exceptions.ReadTimeout("read timed out"),
    lambda: requests.exceptions.ChunkedEncodingError(IncompleteRead(5, 100)),
    lambda: requests.exceptions.ContentDecodingError("not gzip"),
    lambda: requests.exceptions.ProxyError("the proxy refused"),
    lambda: requests.exceptions.ConnectionError(NewConnectionError(None, "getaddrinfo failed")),  # type: ignore[arg-type]
    lambda: requests.exceptions.InvalidURL("no host"),
)
DRIVER: tuple[Callable[[], Exception], ...] = (
    lambda: OperationalError("[08S01] Communication link failure"),
    lambda: OperationalError("Login failed for user 'x'", 18456),
    lambda: RuntimeError("a driver's defect"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    lambda: MemoryError(),
)
LINKS = ("nextLink", "Location", "Azure-AsyncOperation", "LoginEndpoint", "LoginMfaRequired", "KustoServiceResourceId")

Wound = tuple[str, Played]


def wounded(answer: Played, order: random.Random) -> Wound:
    """A name for what was done, and the answer after it. ``broken …``: nothing may follow from it but a failure."""
    if answer.is_sql:
        return _sql(answer, order)
    kinds = [_page, _failure, _cut, _bytes, _structure, _structure, _head]
    if answer.is_kusto and answer.status == 200:
        kinds += [_columns, _columns, _rows]
    if answer.status == 200 and any(name.encode() in answer.body for name in LINKS):
        kinds += [_link]
    if any(name in answer.headers for name in LINKS):
        kinds += [_poll]
    return order.choice(kinds)(answer, order)


def _page(answer: Played, order: random.Random) -> Wound:
    status, headers, body = order.choice(PAGES)
    return f"broken page {status}", without(answer, status=status, headers=dict(headers), body=body)


def _failure(answer: Played, order: random.Random) -> Wound:
    error = order.choice(FAILURES)()
    return f"broken {type(error).__name__}", without(answer, error=error)


def _cut(answer: Played, order: random.Random) -> Wound:
    if len(answer.body) < 10:
        return _page(answer, order)
    at = order.randrange(1, len(answer.body) - 1)
    return "broken end", without(answer, body=answer.body[:at], ends_early=order.random() < 0.3)


def _bytes(answer: Played, order: random.Random) -> Wound:
    if not answer.body:
        return _page(answer, order)
    body = bytearray(answer.body)
    for _ in range(order.randint(1, 6)):
        body[order.randrange(len(body))] = order.randrange(256)
    return "bytes", without(answer, body=bytes(body))


def _structure(answer: Played, order: random.Random) -> Wound:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return _page(answer, order)
    return "structure", without(answer, body=json.dumps(twisted(document, order)).encode())


def _head(answer: Played, order: random.Random) -> Wound:
    headers = dict(answer.headers)
    name = order.choice([*headers, "Content-Type", "x-ms-acl", "ETag"])
    value = order.choice(["", "text/html", "x" * 9000, "utf-8", "-1", "{}", "user::rwx", "user:" * 40, "ümlaut"])
    headers.pop(name, None)
    if order.random() < 0.7:
        headers[name] = value
    return "head", without(answer, headers=headers)


def _first(answer: Played) -> tuple[Any, dict[str, Any]]:
    """The document, and the table of it that holds the rows."""
    document = json.loads(answer.body)
    if isinstance(document, dict):
        return document, document["Tables"][0]
    return document, next(frame for frame in document if frame.get("TableKind") == "PrimaryResult")


def _columns(answer: Played, order: random.Random) -> Wound:
    """A column with another name, without one, twice, gone, or all of them in another order than their cells."""
    document, table = _first(answer)
    columns, rows = table["Columns"], table["Rows"]
    at = order.randrange(len(columns))
    match order.randrange(5):
        case 0:
            columns[at]["ColumnName"] = order.choice(["Renamed", "", " ", "x" * 3000, None, 7])
        case 1:
            del columns[at]["ColumnName"]
        case 2:
            columns.append(dict(columns[at]))
        case 3:
            del columns[at]
            for row in rows:
                if isinstance(row, list):
                    del row[at : at + 1]
        case 4:
            columns.clear()
    return "columns", without(answer, body=json.dumps(document).encode())


def _rows(answer: Played, order: random.Random) -> Wound:
    """Cells of another type, nulls, short and long rows, rows that are none, very many rows."""
    document, table = _first(answer)
    rows = table["Rows"]
    if not rows or not all(isinstance(row, list) and row for row in rows):
        return _structure(answer, order)
    row = order.choice(rows)
    match order.randrange(6):
        case 0:
            row[order.randrange(len(row))] = order.choice(ODD)
        case 1:
            row[:] = [None] * len(row)
        case 2:
            row.append("more")
        case 3:
            del row[0]
        case 4:
            rows[rows.index(row)] = order.choice(ODD)
        case 5:
            table["Rows"] = (rows * (20_000 // len(rows) + 1))[:20_000]
    return "rows", without(answer, body=json.dumps(document).encode())


def _link(answer: Played, order: random.Random) -> Wound:
    """A link in the body that leads elsewhere."""
    document = json.loads(answer.body)
    stack = [document]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            for name in one:
                if name in LINKS:
                    one[name] = order.choice(
                        [EVIL + "/next", "http://evil.example", "//evil.example", "", None, 7, "file:///x"]
                    )
            stack += one.values()
        elif isinstance(one, list):
            stack += one
    return "link", without(answer, body=json.dumps(document).encode())


def _poll(answer: Played, order: random.Random) -> Wound:
    """A header that says where to ask on, and says elsewhere."""
    there = order.choice([EVIL + "/poll", "http://evil.example/poll", "", "relative", "ftp://evil.example"])
    return "poll", without(
        answer, headers={name: there if name in LINKS else value for name, value in answer.headers.items()}
    )


def _sql(answer: Played, order: random.Random) -> Wound:
    table = answer.table or Table((), [])
    columns, rows = list(table.columns), [list(row) for row in table.rows]
    match order.randrange(6):
        case 0:
            error = order.choice(DRIVER)()
            return f"broken {type(error).__name__}", without(answer, error=error, table=None)
        case 1 if columns:
            columns[order.randrange(len(columns))] = order.choice(["Renamed", "", "x" * 500])
        case 2 if rows:
            row = order.choice(rows)
            row[order.randrange(len(row))] = order.choice(ODD)
        case 3 if rows:
            row = order.choice(rows)
            row[:] = [None] * len(row)
        case 4 if columns:
            columns, rows = [], []
        case _:
            rows = rows * 500 if rows else [["odd"] * len(columns)]
    return "table", without(answer, table=Table(tuple(columns), rows))
