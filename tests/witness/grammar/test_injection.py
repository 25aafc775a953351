"""Whatever the names and texts of an entity hold, the grammar reads exactly what the kind meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kxrecon import kql
from kxrecon.model import Change, Entity, Ref, Secret
from tests.witness.grammar.asked import GUID, Tokens, calm, commands, listed, properties, read_back, typed, words
from tests.witness.grammar.names import names, texts
from tests.witness.judge import CLR

pytestmark = CLR
optional_text = st.none() | texts
ticks = st.integers(0, 10**15)
one_line = texts.map(lambda text: "".join(char for char in text if char not in "\n\r\x85\u2028\u2029\x00"))


def tokens(entity: Entity, secret: str = "") -> Tokens:
    """What the grammar reads in the one request that creates ``entity``."""
    [text] = commands(Change(entity.ref, "create", None, entity), secret)
    return read_back(text)


columns = st.lists(
    st.tuples(names, st.sampled_from(kql.TYPES)), min_size=1, max_size=4, unique_by=lambda pair: pair[0]
).map(tuple)


@calm
@given(
    names,
    names,
    st.lists(names, max_size=3, unique=True),
    st.none() | ticks,
    st.integers(1, 2**30),
    st.booleans(),
    one_line,
)
def test_continuous_export(name, to, over, latency, size, disabled, rest):
    query = f"T | where A == {kql.string(rest)} | extend B = '<| ; .drop table T'"
    fields = {
        "to": to,
        "over": tuple(sorted(over)) or None,
        "query": query,
        "intervalBetweenRuns": kql.HOUR,
        "forcedLatency": latency,
        "sizeLimit": size,
        "managedIdentity": "exporter",
        "isDisabled": disabled,
    }
    found = tokens(Entity(Ref("continuous_export", ("D", name)), fields))
    facts = [*words("over"), *listed([[("name", table)] for table in sorted(over)])] if over else []
    pairs = [
        [("name", "managedIdentity"), *words("="), ("string", GUID)],
        [("name", "intervalBetweenRuns"), *words("="), ("timespan", kql.HOUR)],
        *([[("name", "forcedLatency"), *words("="), ("timespan", latency)]] if latency is not None else []),
        [("name", "sizeLimit"), *words("="), ("number", size)],
        [("name", "isDisabled"), *words("="), ("bool", disabled)],
    ]
    head = [*words(". create-or-alter continuous-export"), ("name", name), *facts, *words("to table"), ("name", to)]
    assert found == [*head, *words("with"), *listed(pairs), ("query", f" {query}")]


@calm
@given(
    names, columns, st.lists(one_line, min_size=1, max_size=3), optional_text, optional_text, optional_text, one_line
)
def test_storage_table(name, pairs, paths, folder, prefix, header, secret):
    connections = tuple(
        {"uri": f"https://a/{path}", "auth": "key", "identity": None, "secret": Secret("s")} for path in paths
    )
    column = pairs[0][0]
    partitions = (
        {"name": name, "type": "datetime", "function": "bin", "column": column, "argument": kql.HOUR},
        {"name": column, "type": "long", "function": "hash", "column": column, "argument": 7},
        {"name": "V", "type": "string", "function": None, "column": None, "argument": None},
    )
    path_format = f"{kql.string(secret)} V datetime_pattern({kql.string(secret)}, {kql.identifier(name)})"
    fields = {
        "kind": "storage",
        "columns": pairs,
        "connections": connections,
        "partitions": partitions,
        "pathFormat": path_format,
        "dataFormat": "csv",
        "folder": folder,
        "namePrefix": prefix,
        "includeHeaders": header,
        "compressed": True,
    }
    found = tokens(Entity(Ref("external_table", ("D", name)), fields), secret)
    given_properties = {"folder": folder, "compressed": True, "includeHeaders": header, "namePrefix": prefix}
    by = [
        [
            ("name", name),
            *words(": datetime = bin ("),
            ("name", column),
            *words(","),
            ("timespan", kql.HOUR),
            *words(")"),
        ],
        [("name", column), *words(": long = hash ("), ("name", column), *words(","), ("number", 7), *words(")")],
        [("name", "V"), *words(": string")],
    ]
    path_tokens = [
        *words("pathformat = ("),
        *[("string", secret), ("name", "V")],
        *[*words("datetime_pattern ("), ("string", secret), *words(","), ("name", name), *words(")")],
        *words(")"),
    ]
    assert found == [
        *words(". create-or-alter external table"),
        *[("name", name), *listed(typed(pairs))],
        *words("kind = storage partition by"),
        *[*listed(by), *path_tokens],
        *words("dataformat = csv"),
        *listed([[("string", f"https://a/{path};{secret}")] for path in paths]),
        *properties({key: value for key, value in given_properties.items() if value is not None}),
    ]


@calm
@given(names, columns, names, one_line, one_line, optional_text)
def test_sql_table(name, pairs, table, server, secret, key):
    connection = {
        "server": server,
        "database": "d",
        "auth": "password",
        "identity": None,
        "user": "u",
        "secret": Secret("s"),
        "options": {},
    }
    fields = {"kind": "sql", "columns": pairs, "connection": connection, "table": table, "primaryKey": key}
    found = tokens(Entity(Ref("external_table", ("D", name)), fields), secret)
    [text] = [value for role, value in found if role == "string"][:1]
    quoted = secret.replace('"', '""')  # as ADO.NET reads it
    assert text.startswith("Server=") and text.endswith(f';Database=d;User Id=u;Password="{quoted}"')
    assert found == [
        *words(". create-or-alter external table"),
        *[("name", name), *listed(typed(pairs))],
        *[*words("kind = sql table ="), ("name", table), *listed([[("string", text)]])],
        *properties({} if key is None else {"primaryKey": key}),
    ]


@calm
@given(st.sampled_from(("continuous_export", "external_table")), names)
def test_drop(kind_name, name):
    seen = Entity(Ref(kind_name, ("D", name)), {})
    [text] = commands(Change(seen.ref, "delete", seen, None))
    word = {"continuous_export": "continuous-export", "external_table": "external table"}[kind_name]
    assert read_back(text) == [*words(f". drop {word}"), ("name", name)]
