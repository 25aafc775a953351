"""The DB-API connection: users by SID, grants and denies, and the catalog views that tell of them."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.sql import errors
from kxrecon.sandbox.sql.connection import connect
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World

SERVER = "contoso.database.windows.net"
ADA = "22222222-0000-4000-8000-000000000001"
EXPORTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"

USER = """SELECT p.name, p.principal_id, p.type, p.type_desc, p.authentication_type_desc,
       CONVERT(varchar(200), p.sid, 1) AS sid_hex
FROM sys.database_principals AS p
WHERE p.type IN ('E','X') AND (SUBSTRING(p.sid,1,16) = CAST(CAST(? AS uniqueidentifier) AS varbinary(16)) OR p.name = ?);"""
PERMISSIONS = """SELECT pe.class_desc, pe.permission_name, pe.state, COALESCE(s.name, os.name) AS schema_name, o.name AS object_name
FROM sys.database_permissions AS pe
LEFT JOIN sys.schemas AS s  ON pe.class = 3 AND s.schema_id = pe.major_id
LEFT JOIN sys.objects AS o  ON pe.class = 1 AND o.object_id = pe.major_id
LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id
WHERE pe.grantee_principal_id = DATABASE_PRINCIPAL_ID(?) ORDER BY pe.class, pe.permission_name;"""


@pytest.fixture
def world():
    store = Store(":memory:")
    world = World(store, Clock(store))
    tables = {"dbo.Events": [["Timestamp", "datetime2"], ["Id", "bigint", "not null"]]}
    stock(
        world,
        {
            "sqlServers": [{"server": SERVER, "databases": {"Dwh": {"tables": tables}}}],
            "identities": [{"resourceId": EXPORTER}],
            "principals": [
                {"objectId": ADA, "type": "User", "displayName": "twin", "upn": "ada@contoso.com"},
                {"objectId": str(uuid.UUID(int=2)), "type": "Group", "displayName": "twin"},
                {"objectId": str(uuid.UUID(int=3)), "type": "Group", "displayName": "Team"},
            ],
        },
    )
    yield world
    store.close()


@pytest.fixture
def cursor(world):
    return connect(world, SERVER, "dwh", autocommit=True).cursor()


def sid(identifier):
    return "0x" + uuid.UUID(identifier).bytes_le.hex().upper()


def client_id(world):
    return world.store.all("identity")[0][1]["clientId"]


def test_a_user_by_sid_is_found_by_its_client_id(world, cursor):
    cursor.execute(f"CREATE USER [ex]]porter] WITH SID = {sid(client_id(world))}, TYPE = E;")
    rows = cursor.execute(USER, (client_id(world), "nobody")).fetchall()
    assert rows == [("ex]porter", 5, "E", "EXTERNAL_USER", "EXTERNAL", sid(client_id(world)))]
    assert [column[0] for column in cursor.description][-1] == "sid_hex"


def test_a_user_from_the_directory_gets_the_sid_that_azure_gives(world, cursor):
    cursor.execute("CREATE USER exporter FROM EXTERNAL PROVIDER")
    cursor.execute("CREATE USER [Team] FROM EXTERNAL PROVIDER")
    cursor.execute(f"CREATE USER [twin] FROM EXTERNAL PROVIDER WITH OBJECT_ID = '{ADA}'")
    kinds = dict(
        cursor.execute("SELECT name, type FROM sys.database_principals WHERE principal_id BETWEEN 5 AND 99").fetchall()
    )
    assert kinds == {"exporter": "E", "Team": "X", "twin": "E"}
    assert cursor.execute(USER, (client_id(world), "")).fetchone()[0] == "exporter"
    assert cursor.execute(USER, (ADA, "")).fetchone()[0] == "twin"


def test_grants_denies_and_roles_are_read_back(cursor):
    cursor.execute("CREATE USER u WITHOUT LOGIN; GRANT INSERT, UPDATE ON OBJECT::[dbo].[Events] TO [u]")
    cursor.execute(
        "GRANT CREATE TABLE TO u; GRANT ALTER ON SCHEMA::dbo TO u WITH GRANT OPTION\nDENY SELECT ON dbo.Events TO u"
    )
    cursor.execute("ALTER ROLE db_datawriter ADD MEMBER u; GRANT INSERT ON OBJECT::dbo.events TO U")
    assert cursor.execute(PERMISSIONS, "u").fetchall() == [
        ("DATABASE", "CONNECT", "G", None, None),
        ("DATABASE", "CREATE TABLE", "G", None, None),
        ("OBJECT_OR_COLUMN", "INSERT", "G", "dbo", "Events"),
        ("OBJECT_OR_COLUMN", "SELECT", "D", "dbo", "Events"),
        ("OBJECT_OR_COLUMN", "UPDATE", "G", "dbo", "Events"),
        ("SCHEMA", "ALTER", "W", "dbo", None),
    ]
    members = """SELECT r.name FROM sys.database_role_members AS m
        JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id
        WHERE m.member_principal_id = DATABASE_PRINCIPAL_ID(N'u')"""
    assert cursor.execute(members).fetchall() == [("db_datawriter",)]
    cursor.execute("REVOKE INSERT, UPDATE ON OBJECT::dbo.Events FROM u; ALTER ROLE db_datawriter DROP MEMBER u")
    assert len(cursor.execute(PERMISSIONS, "u").fetchall()) == 4
    assert cursor.execute(members).fetchall() == []
    cursor.execute("DROP USER u")
    assert cursor.execute("SELECT * FROM sys.database_permissions").fetchall() == []


def test_guards_make_statements_repeatable(world, cursor):
    guarded = f"""IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'o''brien')
BEGIN
    CREATE USER [o'brien] WITH SID = {sid(client_id(world))}, TYPE = E
END"""
    cursor.execute(guarded)
    cursor.execute(guarded)
    cursor.execute("IF DATABASE_PRINCIPAL_ID(?) IS NULL CREATE USER x WITHOUT LOGIN", "o'brien")
    assert cursor.execute("SELECT COUNT(*) FROM sys.database_principals WHERE type = 'E'").fetchval() == 1
    assert cursor.execute("SELECT COUNT(*) FROM sys.database_principals WHERE name = 'x'").fetchval() == 0


def test_a_verb_at_the_start_of_a_line_is_not_always_a_statement(cursor):
    cursor.execute(
        "CREATE USER u WITHOUT LOGIN\nGRANT INSERT,\nALTER ON SCHEMA::dbo TO u\nREVOKE\nALTER ON SCHEMA::dbo TO u"
    )
    assert [row[1] for row in cursor.execute(PERMISSIONS, "u").fetchall()] == ["CONNECT", "INSERT"]
    both = "WITH s AS (SELECT name FROM sys.schemas WHERE name = 'dbo')\nSELECT name FROM s\nUNION ALL\nSELECT 'x'"
    assert cursor.execute(both).fetchall() == [("dbo",), ("x",)]


def test_tables_and_columns(cursor):
    assert cursor.execute("SELECT OBJECT_ID(?)", "[dbo].[Events]").fetchval()
    assert cursor.execute("SELECT OBJECT_ID(N'dbo.Nothing')").fetchval() is None
    columns = """SELECT c.name, t.name AS type_name, c.is_nullable FROM sys.columns c
        JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID('events') ORDER BY c.column_id"""
    assert cursor.execute(columns).fetchall() == [("Timestamp", "datetime2", 1), ("Id", "bigint", 0)]
    cursor.execute(
        "CREATE SCHEMA lake; CREATE TABLE [lake].[T] ([a] int NOT NULL PRIMARY KEY, [b c] nvarchar(max) NULL)"
    )
    found = "SELECT s.name, t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.name = %(name)s"
    assert cursor.execute(found, {"name": "t"}).fetchall() == [("lake", "T")]
    cursor.execute("DROP TABLE lake.T")
    assert cursor.execute(found, {"name": "T"}).fetchall() == []


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("GRANT INSERT TO nobody", 15151),
        ("GRANT INSERT ON SCHEMA::nowhere TO u", 15151),
        ("GRANT INSERT ON OBJECT::dbo.nothing TO u", 15151),
        ("GRANT FLY TO u", 102),
        ("GRANT INSERT ON SCHEMA::dbo TO dbo", 15151),
        ("CREATE USER u WITHOUT LOGIN", 15023),
        ("CREATE USER v WITH SID = 0x12, TYPE = E", 33171),
        ("CREATE USER ghost FROM EXTERNAL PROVIDER", 33130),
        ("CREATE USER twin FROM EXTERNAL PROVIDER", 33131),
        ("DROP USER nobody", 15151),
        ("ALTER ROLE db_nothing ADD MEMBER u", 15151),
        ("ALTER ROLE db_owner ADD MEMBER nobody", 15151),
        ("CREATE TABLE dbo.Events (a int)", 2714),
        ("CREATE TABLE nowhere.T (a int)", 2760),
        ("SELECT * FROM dbo.nothing", 208),
        ("SELECT colour FROM sys.schemas", 207),
        ("SELECT PAINT(name) FROM sys.schemas", 195),
        ("SELECT name FROM sys.schemas WHERE name = ?", 8178),
        ("SELEC 1", 102),
        ("SELECT (", 102),
        ("'", 102),
    ],
)
def test_refusals_in_sql_server_s_numbers(cursor, statement, number):
    cursor.execute("CREATE USER u WITHOUT LOGIN")
    with pytest.raises(errors.DatabaseError) as refused:
        cursor.execute(statement)
    assert refused.value.number == number
    assert str(refused.value).startswith("[Microsoft][SQL Server]")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO dbo.Events VALUES (1)", "EXEC sp_who", "SELECT * FROM dbo.Events", "ALTER TABLE x ADD y int"],
)
def test_what_is_not_imitated_says_so(cursor, statement):
    with pytest.raises(errors.NotSupportedError, match="does not imitate"):
        cursor.execute(statement)


def test_without_autocommit_changes_wait_for_commit(world):
    with connect(world, SERVER, "Dwh") as first:
        first.execute("CREATE USER u WITHOUT LOGIN")
        assert first.execute("SELECT DATABASE_PRINCIPAL_ID('u')").fetchval() == 5
        second = connect(world, SERVER, "Dwh")
        assert second.execute("SELECT DATABASE_PRINCIPAL_ID('u')").fetchval() is None
        first.rollback()
        first.execute("CREATE USER v WITHOUT LOGIN")
    assert second.execute("SELECT DATABASE_PRINCIPAL_ID('v')").fetchval() == 5
    with pytest.raises(errors.InterfaceError):
        first.cursor()


def test_unknown_servers_and_databases(world):
    with pytest.raises(errors.OperationalError, match="40532"):
        connect(world, "other.database.windows.net", "Dwh")
    with pytest.raises(errors.OperationalError, match="4060"):
        connect(world, SERVER, "Other")


def test_a_caller_without_rights_sees_and_changes_nothing(world, cursor):
    cursor.execute("CREATE USER u WITHOUT LOGIN")
    world.store.put("meta", ("caller",), {"objectId": ADA, "roles": ["Owner"]})
    with pytest.raises(errors.ProgrammingError, match="permission"):
        cursor.execute("GRANT INSERT ON SCHEMA::dbo TO u")
    assert cursor.execute("SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION')").fetchval() == 0
    assert cursor.execute("SELECT * FROM sys.database_permissions").fetchall() == []


PIECES = st.sampled_from(
    ["SELECT", "GRANT", "INSERT", "ON", "TO", "[a", "]", "'", "(", ")", ",", ";", "::", "SCHEMA", "dbo", "CREATE USER",
     "FROM", "sys.schemas", "WITH", "=", "IF", "NOT", "EXISTS", "?", "0x1", "--", "/*", "🙂", "BEGIN", "END", "\n", "@x"]
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(PIECES, max_size=9))
def test_no_batch_raises_anything_but_db_api_errors(cursor, parts):
    try:
        cursor.execute(" ".join(parts))
    except errors.Error:
        return


@pytest.mark.parametrize("written", ["CONVERT(varchar(200)", "CONVERT(varchar(200, name, 1)", "CONVERT(int)"])
def test_a_conversion_of_nothing_is_a_mistake(cursor, written):
    with pytest.raises(errors.ProgrammingError):
        cursor.execute(f"SELECT {written} AS x FROM sys.schemas")
