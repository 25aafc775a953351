"""Statements that no server should be sent: an error of DB-API, with SQL Server's words, and nothing else."""

from __future__ import annotations

import logging
import random
import uuid

import pytest

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.sql import errors
from kxrecon.sandbox.sql.connection import connect
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World
from tests.sandbox.fuzz.asked import TITLE
from tests.sandbox.fuzz.spoil import ROUNDS, renamed, wounded
from tests.sandbox.sql.test_sandbox_sql import PERMISSIONS, SERVER, USER
from tests.witness.tally import tally

STATEMENTS = [
    USER,
    PERMISSIONS,
    "CREATE USER [exporter] FROM EXTERNAL PROVIDER;",
    "CREATE USER [other] WITH SID = 0x00112233445566778899AABBCCDDEEFF, TYPE = E",
    "DROP USER [exporter]",
    "CREATE ROLE readers; ALTER ROLE readers ADD MEMBER [exporter]",
    "GRANT INSERT, SELECT ON OBJECT::[dbo].[Events] TO [exporter]",
    "REVOKE INSERT ON [dbo].[Events] FROM [exporter]",
    "DENY SELECT ON SCHEMA::dbo TO [exporter]",
    "IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = 'x') CREATE USER [x] FROM EXTERNAL PROVIDER",
    "BEGIN SET NOCOUNT ON; GRANT CONTROL TO [exporter]; END",
    "CREATE TABLE dbo.T (a bigint not null, b nvarchar(max))",
    "SELECT HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'VIEW DEFINITION')",
    "SELECT name, CASE WHEN type = 'E' THEN 1 ELSE 0 END AS c FROM sys.database_principals ORDER BY name",
    "WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL SELECT 2",
    "SELECT COUNT(*) FROM sys.tables t JOIN sys.columns c ON t.object_id = c.object_id WHERE t.name = ?",
]
EXPORTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
PARAMETERS = [EXPORTER, None, 7, "x", str(uuid.UUID(int=5)), b"\x00"]


def bracketed(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def text(order: random.Random) -> str:
    """A batch, more or less."""
    statement = order.choice(STATEMENTS)
    if order.random() < 0.2:
        return statement
    return renamed(statement, bracketed, order) if order.random() < 0.4 else wounded(statement, order)


@pytest.mark.parametrize("seed", range(3 * ROUNDS))
def test_garbage_is_an_error_of_the_driver_and_does_no_harm(seed, caplog):
    caplog.set_level(logging.CRITICAL, logger="sqlglot")  # it warns of what it makes nothing of
    order = random.Random(f"sql/{seed}")
    store = Store(":memory:")
    world = World(store, Clock(store))
    tables = {"dbo.Events": [["Timestamp", "datetime2"], ["Id", "bigint", "not null"]]}
    databases = {"Dwh": {"tables": tables}}
    stock(world, {"sqlServers": [{"server": SERVER, "databases": databases}], "identities": [{"resourceId": EXPORTER}]})
    done = 0
    with connect(world, SERVER, "Dwh", autocommit=True) as connection:
        for _ in range(1200):
            asked = text(order).replace("\ud800", "")  # the driver has to encode it
            given = [order.choice(PARAMETERS) for _ in range(asked.count("?"))]
            try:
                connection.execute(asked, *given)
                done += 1
            except errors.Error as refused:
                assert str(refused).startswith("[Microsoft][SQL Server]")
            except Exception as problem:
                raise AssertionError(ascii(f"sql: {problem!r} {asked} {given}")) from problem
        assert connection.execute("SELECT name FROM sys.database_principals").fetchall()
    assert done > 100, "nearly everything was refused: the statements are too wild to find anything"
    tally(TITLE).count("sql: answered", done)
    tally(TITLE).count("sql: refused", 1200 - done)
