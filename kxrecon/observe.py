"""Reading the observed state: equal questions once, all concurrently, in at most four rounds.

A round asks what the kinds can name so far; its answers teach the directory (who has which object
id, which host is which account), and that lets the kinds name more. The few answers that teach are waited for
first, so that what they let the kinds name is asked while the rest of the round is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from kxrecon.errors import PlaneError
from kxrecon.kinds import NAMES, kind
from kxrecon.misread import careful, understood
from kxrecon.model import Answer, Answers, Entity, Failure, Gap, Plane, Read, Reading, Ref, State, Table
from kxrecon.planes import PlaneClient
from kxrecon.principals import aliases, is_guid
from kxrecon.scope import SYSTEM, Directory, Scope
from kxrecon.surroundings import Stored, read_by

ROUNDS = 4
WORKERS = 8
OUT_OF_REACH = frozenset({"Unreachable", "NoToken", "UntrustedHost", "Certificate", "NotPlayed"})
"""Codes of answers that no question to the same service would change."""
DATABASES = Read("kusto", "", ".show databases")
TEACHERS = ("cluster_identity", "container", "role_assignment")
IDENTITY = "cluster_identity"
FUNCTION = "function"
# Kinds whose refs name an identity: what a service shows there are ids, and whose they are has to be known.
NAMING = (
    "managed_identity_policy",
    "database_role",
    "cluster_role",
    "role_assignment",
    "acl_entry",
    "sql_user",
    "sql_grant",
)

Planes = Mapping[Plane, PlaneClient]


@dataclass(frozen=True, slots=True)
class Observation:
    """The observed state, with the scope as it is now known (directory filled) and the raw answers."""

    state: State
    scope: Scope
    answers: Answers


def managed_kinds(scope: Scope) -> tuple[str, ...]:
    """The kinds to read: all but those of planes that the spec switches off."""
    return tuple(name for name, plane in NAMES.items() if scope.manages(plane) != "off")


def observe(
    scope: Scope,
    planes: Planes,
    *,
    kinds: Sequence[str] | None = None,
    workers: int = WORKERS,
    desired: State | None = None,
) -> Observation:
    """Read everything that the kinds ask for and turn it into a State. Refusals, and answers that nobody can
    understand, become gaps, never exceptions. With ``desired`` the databases are read, too, that its exports turn out
    to read by functions that only the cluster has."""
    wider = _Wider(desired) if desired is not None else None
    names = managed_kinds(scope) if kinds is None else tuple(kinds)
    both = tuple(dict.fromkeys((*TEACHERS, *names)))
    known: dict[Read, Answer] = {}
    waiting: dict[Read, Future[Answer]] = {}
    scope = replace(scope, directory=learn(scope, {}))
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            for _ in range(2 * ROUNDS):  # each round is waited for twice: for what teaches, and for all of it
                for read in careful(partial(_wanted, names, scope, known), both, known, scope):
                    if read not in known and read not in waiting:
                        waiting[read] = pool.submit(planes[read.plane].read, read)
                if not waiting:
                    break
                teaching = frozenset(_wanted((name for name in TEACHERS if name in names), scope, known))
                for read in [read for read in waiting if read in teaching] or list(waiting):
                    known[read] = waiting.pop(read).result()
                scope = settled(replace(scope, directory=careful(partial(learn, scope, known), both, known, scope)))
                scope = careful(partial(wider.scope, scope, known), both, known, scope) if wider else scope
        finally:
            for future in waiting.values():
                future.cancel()
    return Observation(careful(partial(interpret, names, known, scope), both, known, scope), scope, known)


def require_cluster(answers: Answers) -> None:
    """Raise PlaneError where the cluster could not be asked at all: nobody is signed in, or it is out of reach.

    What a caller may not read, or what cannot be read right now, stays a gap.
    """
    found = [answer for read, answer in answers.items() if read.plane == "kusto"]
    failures = [answer for answer in found if isinstance(answer, Failure) and answer.code in OUT_OF_REACH]
    if found and len(failures) == len(found):
        raise PlaneError(failures[0].message, code=failures[0].code)


def database_names(answer: Answer | None) -> list[str] | None:
    """The databases of the cluster as ``.show databases`` spells them, system ones left out; None for no list."""
    column = answer.index("DatabaseName") if isinstance(answer, Table) else None
    if not isinstance(answer, Table) or column is None:
        return None
    return list(dict.fromkeys(str(row[column]) for row in answer.rows if not str(row[column]).startswith("$")))


def list_databases(kusto: PlaneClient) -> list[str]:
    """The same, asked for; PlaneError if they cannot be listed."""
    answer = kusto.read(DATABASES)
    names = database_names(answer)
    if names is None:
        why = answer.message if isinstance(answer, Failure) else "the answer has no column DatabaseName"
        code = answer.code if isinstance(answer, Failure) else "MalformedAnswer"
        raise PlaneError(f"the databases could not be listed: {why}", code=code)
    return names


class _Wider:
    """Finds the databases that queries read by functions of the cluster, once for each set of databases that is read;
    a cluster whose functions read no other database costs one look at their bodies."""

    def __init__(self, desired: State) -> None:
        self._desired = desired
        self._seen: frozenset[str] = frozenset()

    def scope(self, scope: Scope, answers: Answers) -> Scope:
        """The scope with these databases, as far as the answers show them."""
        asked = list(kind(FUNCTION).reads(scope, answers))
        databases, exports = frozenset(scope.databases), self._desired.of_kind("continuous_export")
        if databases == self._seen or not exports or not all(read in answers for read in asked):
            return scope
        tables = [answer for read in asked if isinstance(answer := answers[read], Table)]
        if not any("database" in str(cell) for table in tables for row in table.rows for cell in row):
            self._seen = databases
            return scope
        found = [one for one in understood(FUNCTION, answers, scope) if isinstance(one, Entity)]
        stored = Stored(State({one.ref: one for one in found}), self._desired, cluster=scope.cluster_uri)
        more = read_by(exports, stored) - databases
        self._seen = databases
        return replace(scope, databases=(*scope.databases, *sorted(more)))


def _wanted(names: Iterable[str], scope: Scope, known: Answers) -> list[Read]:
    return list(dict.fromkeys(read for name in names for read in kind(name).reads(scope, known)))


def interpret(names: Iterable[str], answers: Answers, scope: Scope) -> State:
    """The state that the answers show."""
    entities: dict[Ref, Entity] = {}
    readings: dict[Ref, Reading] = {}
    gaps: list[Gap] = []
    for name in names:
        for found in understood(name, answers, scope):
            if isinstance(found, Entity):
                entities[found.ref] = found
            elif isinstance(found, Reading):
                readings[found.ref] = found
            else:
                gaps.append(found)
    gaps += [Gap(name, (), failure, symbol) for symbol, failure in scope.directory.unread.items() for name in NAMING]
    return State(entities, readings, tuple(gaps))


def learn(scope: Scope, answers: Answers) -> Directory:
    """Who is who, from the spec and the answers so far, and whom a failed read hides."""
    before = scope.directory.attributes
    attributes: dict[str, dict[str, str]] = {symbol: dict(before.get(symbol, {})) for symbol in scope.identities}
    accounts: dict[str, str] = dict(scope.directory.accounts)
    unread: dict[str, Failure] = dict(scope.directory.unread)
    for name in TEACHERS if answers else ():
        for found in understood(name, answers, scope):
            if isinstance(found, Gap):
                unread = {**dict.fromkeys(attributes, found.failure), **unread} if found.kind == IDENTITY else unread
            elif found.ref.kind == IDENTITY:
                _introduced(found, attributes, unread)
            elif isinstance(found, Reading) and "accountId" in found.values:
                accounts[found.ref.name[0].lower()] = found.values["accountId"]
    symbols = {key: symbol for symbol, fqn in scope.principals.items() for key in aliases(fqn)}
    for symbol, ids in attributes.items():
        symbols.update({ids[key].lower(): symbol for key in ("principalId", "clientId") if ids.get(key)})
        if scope.identities.get(symbol):
            symbols[scope.identities[symbol].lower()] = symbol
    known = Directory(attributes, symbols, accounts)
    return replace(known, unread={symbol: why for symbol, why in unread.items() if not known.knows(symbol)})


def settled(scope: Scope) -> Scope:
    """The scope without the object ids of identities that turned out to have a name in the spec, and with the resource
    ids of the others, as far as the cluster shows them."""
    directory = scope.directory
    doubled = {one for one in scope.identities if is_guid(one) and directory.symbol(one) not in (None, one)}
    shown = {symbol: ids["resourceId"] for symbol, ids in directory.attributes.items() if ids.get("resourceId")}
    if not doubled and not shown:
        return scope
    named = {one: shown.get(one, known) for one, known in scope.identities.items() if one not in doubled}
    kept = {symbol: ids for symbol, ids in directory.attributes.items() if symbol not in doubled}
    return replace(scope, identities=named, directory=replace(directory, attributes=kept))


def _introduced(found: Entity | Reading, attributes: dict[str, dict[str, str]], unread: dict[str, Failure]) -> None:
    """Take in what an answer says of an identity, or of the cluster that has none of its own."""
    (symbol,) = found.ref.name
    values = found.attributes if isinstance(found, Entity) else found.values
    if isinstance(values.get("unread"), Failure):
        unread[symbol] = values["unread"]
    elif symbol in attributes:
        attributes[symbol].update({key: one for key, one in values.items() if isinstance(one, str) and one})
    elif values.get("hasSystem") is False and SYSTEM in attributes:
        attributes[SYSTEM] = {"principalId": ""}
