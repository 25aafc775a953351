"""The SQL plane behind its DB-API seam: sqlite3 plays the database, scripted connections its bad days."""

from __future__ import annotations

import sqlite3
import struct
import sys
import threading
from types import SimpleNamespace

import pytest

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.model import Failure, Read, Request, Table
from kxrecon.planes import WriteRefused
from kxrecon.planes.hosts import CLOUDS
from kxrecon.planes.sql import SqlPlane
from kxrecon.planes.sql_driver import ACCESS_TOKEN, open_connection, token_struct
from kxrecon.planes.sql_errors import plane_error

TARGET = "contoso.database.windows.net/Dwh"
SELECT = Read("sql", TARGET, "SELECT ? AS a, ? AS b", (("first", "1"), ("second", "x")))
GRANT = Request("sql", TARGET, ("GRANT INSERT ON OBJECT::[dbo].[Events] TO [exporter]",))
CREATE = Request("sql", TARGET, ("CREATE USER [exporter] WITH SID = 0x25, TYPE = E",))


class DatabaseError(Exception):
    """As a driver would raise it."""


class Connection:
    """Statements raise the scripted errors in turn, then answer nothing."""

    def __init__(self, errors):
        self.errors, self.statements, self.closed = errors, [], False

    def cursor(self):
        return self

    description = None

    def execute(self, statement, *_):
        self.statements.append(statement)
        if self.errors:
            raise self.errors.pop(0)

    def close(self):
        self.closed = True


@pytest.fixture
def scripted(terms):
    def make(*errors):
        made, left = [], list(errors)

        def connect(server, database):
            made.append(Connection(left))
            return made[-1]

        return SqlPlane(connect, terms), made

    return make


def test_arguments_go_in_order_and_rows_come_as_they_are(terms):
    opened = []

    def connect(server, database):
        opened.append((server, database))
        return sqlite3.connect(":memory:", check_same_thread=False)

    plane = SqlPlane(connect, terms)
    assert plane.read(SELECT) == Table(("a", "b"), [["1", "x"]])
    assert plane.read(SELECT) == Table(("a", "b"), [["1", "x"]])
    plane.close()
    assert opened == [("contoso.database.windows.net", "Dwh")]
    assert plane.requests == 2


def test_eight_threads_share_one_connection_one_at_a_time(terms):
    plane = SqlPlane(lambda *_: sqlite3.connect(":memory:", check_same_thread=False), terms)
    answers, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(target=lambda: answers.append(plane.read(SELECT))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert answers == [Table(("a", "b"), [["1", "x"]])] * 8
    plane.close()


def test_a_write_answers_rows_if_there_are_any(terms):
    plane = SqlPlane(lambda *_: sqlite3.connect(":memory:", check_same_thread=False), terms)
    assert plane.write(Request("sql", TARGET, ("CREATE TABLE t (a)",))) == {"columns": [], "rows": []}
    assert plane.write(Request("sql", TARGET, ("SELECT 1 AS one",))) == {"columns": ["one"], "rows": [[1]]}
    plane.close()


def test_reads_may_only_select(scripted, reading):
    plane, made = scripted()
    with pytest.raises(WriteRefused):
        plane.read(Read("sql", TARGET, "DROP TABLE t"))
    with pytest.raises(WriteRefused):
        SqlPlane(lambda *_: None, reading).write(GRANT)
    assert made == []


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("The SELECT permission was denied on the object 't', database 'd', schema 'dbo'.", "229", "denied"),
        ("[SQL Server]Cannot open database 'Dwh' requested by the login. The login failed.", "4060", "denied"),
        ("Login failed for user '<token-identified principal>'. (18456) (SQLDriverConnect)", "18456", "denied"),
        ("Client with IP address '1.2.3.4' is not allowed to access the server.", "40615", "denied"),
        ("Invalid object name 'dbo.x'.", "208", "absent"),
        ("Incorrect syntax near 'x'.", "DatabaseError", "failed"),
    ],
)
def test_sql_servers_errors_are_told_by_number_or_words(scripted, text, code, reason):
    plane, _ = scripted(DatabaseError(text))
    failure = plane.read(SELECT)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.reason) == (code, reason)
    assert text in failure.message
    assert TARGET in failure.message


def test_a_number_on_the_exception_wins():
    error = DatabaseError("whatever")
    error.number = 40501
    assert isinstance(plane_error(error, "t"), Throttled)


def test_a_throttled_or_waking_database_is_tried_again(scripted, hand):
    plane, made = scripted(
        DatabaseError("Database 'Dwh' on server 's' is not currently available."),
        DatabaseError("The service is currently busy. Retry the request after 10 seconds."),
    )
    plane.write(CREATE)
    assert sum(len(one.statements) for one in made) == 3
    assert len(made) == 2  # the database moved: its connection is of no more use
    assert made[0].closed
    assert len(hand.slept) == 2


@pytest.mark.parametrize(("request_", "times"), [(GRANT, 2), (CREATE, 1)])
def test_a_lost_answer_is_repeated_only_for_what_may_be(scripted, request_, times):
    plane, made = scripted(DatabaseError("Communication link failure"))
    if times == 1:
        with pytest.raises(Unanswered):
            plane.write(request_)
    else:
        plane.write(request_)
    assert sum(len(one.statements) for one in made) == times


def test_accepted_codes_are_answers(scripted):
    plane, _ = scripted(DatabaseError("User, group, or role 'exporter' already exists in the current database."))
    assert plane.write(Request("sql", TARGET, CREATE.text, accepts=("15023",))) == {"accepted": "15023"}


def test_a_server_that_is_not_there(terms, hand):
    def connect(*_):
        raise DatabaseError("TCP Provider: Error code 0x2749 Connection refused")

    failure = SqlPlane(connect, terms).read(SELECT)
    assert (failure.reason, failure.code) == ("unreachable", "Unreachable")
    assert len(hand.slept) == 2


def test_the_token_is_packed_as_odbc_takes_it():
    packed = token_struct("abc")
    assert struct.unpack("<I", packed[:4]) == (6,)
    assert packed[4:].decode("utf-16-le") == "abc"


class Asked:
    def __init__(self):
        self.scopes = []

    def get_token(self, *scopes, **_):
        self.scopes += scopes
        return SimpleNamespace(token="t", expires_on=0)


@pytest.mark.parametrize(
    ("cloud", "server", "scope"),
    [
        ("public", "contoso.database.windows.net", "https://database.windows.net/.default"),
        ("usgov", "contoso.database.usgovcloudapi.net", "https://database.usgovcloudapi.net/.default"),
    ],
)
def test_a_connection_is_encrypted_autocommits_and_carries_the_clouds_token(monkeypatch, cloud, server, scope):
    calls = []
    driver = SimpleNamespace(connect=lambda text, **options: calls.append((text, options)) or "connection")
    monkeypatch.setitem(sys.modules, "mssql_python", driver)
    credential = Asked()
    assert open_connection(server, "Dwh", CLOUDS[cloud], credential) == "connection"
    text, options = calls[0]
    assert text == f"Server={server};Database=Dwh;Encrypt=yes;TrustServerCertificate=no;"
    assert options["autocommit"] is True
    assert options["attrs_before"] == {ACCESS_TOKEN: token_struct("t")}
    assert credential.scopes == [scope]


@pytest.mark.parametrize(
    ("server", "database"), [("evil.example", "D"), ("c.database.windows.net", "D;Trusted_Connection=yes")]
)
def test_no_token_for_strange_servers_and_no_injected_keywords(monkeypatch, server, database):
    monkeypatch.setitem(sys.modules, "mssql_python", SimpleNamespace())
    credential = Asked()
    with pytest.raises(PlaneError):
        open_connection(server, database, CLOUDS["public"], credential)
    assert credential.scopes == []


def test_a_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mssql_python", None)
    with pytest.raises(PlaneError, match=r"kxrecon\[sql\]"):
        open_connection("c.database.windows.net", "D", CLOUDS["public"], Asked())


def test_a_driver_without_its_library_says_which(monkeypatch):
    def connect(*_, **__):
        raise RuntimeError("Failed to load the driver. Please read the documentation")

    monkeypatch.setitem(sys.modules, "mssql_python", SimpleNamespace(connect=connect))
    with pytest.raises(PlaneError, match="libltdl7"):
        open_connection("c.database.windows.net", "D", CLOUDS["public"], Asked())
