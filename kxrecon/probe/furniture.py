"""What the scratch database is furnished with before the probes are asked: a table of pieces.

No table gets a record, so that no export writes a file, unless the person who asks wants it so. All credentials
here are invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kxrecon.kql import MINUTE
from kxrecon.probe import commands
from kxrecon.probe.commands import EVENTS, LAKE, LAKE2, OTHERS, PREFIX, TYPED, VIEW, own, running, still
from kxrecon.probe.model import CannotTell, Given
from kxrecon.storage_uri import locate

INVENTED = "aW52ZW50ZWQgYnkga3hyZWNvbjsgb3BlbnMgbm90aGluZw"
"""A signature, key and password that opens nothing."""

TAILS: Mapping[str, str] = {
    LAKE: ";impersonate",
    LAKE2: ";impersonate",
    own("Signed"): f"?sv=2024-11-04&sr=c&sp=r&sig={INVENTED}%3D",
    own("Keyed"): f";{INVENTED}==",
}
"""External tables by what follows the address in their connection string."""

IDENTIFIED, DELTA, ABFSS, SQL = own("Identified"), own("Delta"), own("Abfss"), own("Sql")
POLICY, MONITOR = "the managed_identity policy", "the monitor"
SAMPLE, NO_OVER = own("Sample"), own("NoOver")
QUERY = f"{EVENTS}   |  where   Message != ''  // spaces, and a comment\n| project Timestamp ,Message"
CURSOR: Mapping[str, Mapping[str, Any]] = {
    "query": {"query": f"{EVENTS} | where Message != ''"},
    "interval": {},
    "over": {"over": (EVENTS, OTHERS), "query": f"union {EVENTS}, {OTHERS}"},
    "target": {"to": LAKE2},
    "identity": {},
}
"""What is changed of a running export, one thing each: the probes of its cursor."""


class Piece(NamedTuple):
    """One thing to be made: its name, as probes ask for it, and the command."""

    name: str
    text: str


def furniture(given: Given, note: str) -> Iterator[Piece]:
    """Everything that can be made of what was given; the first piece carries the ``note`` of what is to be undone."""
    yield Piece(EVENTS, commands.table(EVENTS, note))
    yield Piece(OTHERS, commands.table(OTHERS))
    yield Piece(TYPED, commands.table(TYPED, columns=commands.OF_EACH_TYPE))
    yield Piece(VIEW, commands.function(VIEW))
    if given.identities and not given.policy_taken:
        yield Piece(POLICY, commands.policy(given.database, given.identities))
    if given.principal:
        yield Piece(MONITOR, commands.monitor("add", given.database, given.principal, PREFIX))
    yield Piece(SQL, commands.external_table(SQL, _SQL_STRING, "sql table=['dbo.KxreconProbe']"))
    if given.storage:
        yield from _external_tables(given)
    if given.storage and given.identities:
        yield from _exports(given)


_SQL_STRING = (
    "Server=tcp:kxreconprobe.invalid,1433;Database=none;User Id=kxrecon;"
    f'Password={INVENTED};Authentication="SQL Password"'
)


def _external_tables(given: Given) -> Iterator[Piece]:
    for name, tail in TAILS.items():
        yield Piece(name, commands.external_table(name, place(given, name) + tail))
    delta = commands.external_table(DELTA, f"{place(given, DELTA)};impersonate", "delta")
    yield Piece(DELTA, delta)
    yield Piece(ABFSS, commands.external_table(ABFSS, f"{abfss(given)};impersonate"))
    if given.identities:
        yield Piece(IDENTIFIED, commands.external_table(IDENTIFIED, place(given, IDENTIFIED) + identified(given)))


def _exports(given: Given) -> Iterator[Piece]:
    sample = still(given.identity, forcedLatency=10 * MINUTE, sizeLimit=200 * 2**20)
    yield Piece(SAMPLE, commands.export(SAMPLE, sample, query=QUERY))
    yield Piece(NO_OVER, commands.export(NO_OVER, still(given.identity), over=None))
    for change in CURSOR:
        name = cursor(change)
        yield Piece(name, commands.export(name, running(given.identity)))
    if given.record:
        yield Piece("the record", commands.record(EVENTS))


def cursor(change: str) -> str:
    """The export whose cursor a change is tried on."""
    return own(f"Cursor{change.capitalize()}")


def place(given: Given, name: str) -> str:
    """A folder of its own below the container that was given."""
    return f"{given.storage.rstrip('/')}/kxrecon-probe/{name}"


def identified(given: Given) -> str:
    """The end of a connection string that carries the identity itself."""
    return f";managed_identity={given.identity}"


def abfss(given: Given) -> str:
    """The same container by its Data Lake address. Raises CannotTell for what is no address of a container."""
    found = locate(given.storage)
    if found is None:
        raise CannotTell(f"{given.storage} is no address of a container")
    return f"abfss://{found.container}@{found.dfs_host}/kxrecon-probe/{ABFSS}"
