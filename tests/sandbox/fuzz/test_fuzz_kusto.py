"""Commands, queries and bodies that nobody should send to a cluster."""

from __future__ import annotations

import json
import random

import pytest

from kxrecon.kql import identifier
from kxrecon.sandbox.wire import KustoApp
from kxrecon.sandbox.world import World
from tests.sandbox.fuzz.asked import Asked, answered
from tests.sandbox.fuzz.spoil import ROUNDS, renamed, scrambled, wounded
from tests.sandbox.kusto.commands import READS, WRITES
from tests.sandbox.kusto.conftest import URI, Kusto
from tests.sandbox.kusto.test_kusto_differential import COMMANDS

QUERIES = """
Events | where Level == 'x' | project Timestamp, Level
Events | summarize count() by Level | take 5
print Now=now()
Events | extend a=1 | join kind=inner (Events) on Level
external_table('Archive') | count
Events | where ingestion_time() > ago(1d) and cursor_after('x')
F()
database('Telemetry').Events | count
let a=1; Events | where 1 == a
.show tables | where TableName == 'x' | project TableName
""".strip().split("\n")
TEXTS = [*COMMANDS, *READS * 2, *WRITES * 4, *QUERIES * 3]
PROPERTIES = [
    {"Options": {"query_now": "x", "servertimeout": "00:01:00"}, "Parameters": {"a": "b"}},
    {"ClientRequestId": "x"},
]
BODIES = [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe{}", b'{"csl": ".show tables", "csl": 7}']
STILL = (
    ".show tables details",
    ".show functions",
    ".show external tables",
    ".show continuous-exports",
    ".show database Telemetry schema as json",
    ".show database Telemetry schema as csl script",
    ".show database Telemetry principals",
    ".show table * policy ingestiontime",
    ".show operations",
    ".show database Telemetry journal",
)


def cluster() -> Kusto:
    """A cluster with one of everything."""
    kusto = Kusto()
    kusto.table()
    kusto.allow()
    kusto.external()
    kusto.export()
    kusto.run(".create-or-alter function F() { Events }")
    return kusto


def body(order: random.Random) -> bytes:
    """A request's body, more or less."""
    if order.random() < 0.02:
        return order.choice(BODIES)
    text = order.choice(TEXTS)
    if order.random() < 0.9:
        text = renamed(text, identifier, order) if order.random() < 0.6 else wounded(text, order)
    document = {"db": "Telemetry", "csl": text}
    if order.random() < 0.3:
        document["properties"] = scrambled(order.choice(PROPERTIES), order, 0.3)
        if order.random() < 0.3:
            document["properties"] = wounded(json.dumps(document["properties"]), order)
    if order.random() < 0.1:
        document = scrambled(document, order, 0.2)
    return json.dumps(document).encode()


@pytest.mark.parametrize("seed", range(6 * ROUNDS))
def test_garbage_is_refused_in_kustos_words_and_does_no_harm(seed):
    order = random.Random(f"kusto/{seed}")
    kusto = cluster()
    app = KustoApp(World(kusto.store, kusto.clock), URI)
    done = 0
    for _ in range(250):
        path = order.choice(["/v1/rest/mgmt", "/v1/rest/mgmt", "/v1/rest/query", "/v2/rest/query"])
        done += answered("kusto", app, Asked("POST", path, {}, body(order)))[0] == 200
    assert done > 8, "nearly everything was refused: the commands are too wild to find anything"
    for command in STILL:
        status, told = kusto.send(command)
        assert status == 200, (command, told["error"]["@message"])
