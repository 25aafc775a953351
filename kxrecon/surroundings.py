"""What a desired state touches beyond its own sections: databases that queries read, identities and places in use.

Kinds are asked what to read by ``Scope``; this completes it from the entities, before anything is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kxrecon import queried
from kxrecon.model import Entity, Hidden, Ref, State, Value
from kxrecon.principals import is_guid
from kxrecon.scope import SYSTEM, Rotation, Scope, Target


@dataclass(frozen=True, slots=True)
class Reads:
    """The databases that a query reads, and in words what of that cannot be told."""

    databases: frozenset[str]
    open: tuple[str, ...] = ()


class Stored:
    """The stored functions of some states, by database: later states win. Built once for all exports.

    ``cluster`` is the cluster's own address, by which a query may name it.
    """

    def __init__(self, *states: State, cluster: str = "") -> None:
        self._bodies: dict[str, dict[str, str]] = defaultdict(dict)
        self._states = states
        self._host = urlsplit(cluster).hostname or ""
        self._texts: dict[str, queried.Text] = {}
        for state in states:
            for ref, entity in state.entities.items():
                if ref.kind == "function":
                    self._bodies[ref.name[0]][ref.name[1]] = _shown(entity.fields.get("body", ""))

    def functions(self, database: str) -> Mapping[str, str]:
        """Bodies by function name; empty where nothing of one is shown."""
        return self._bodies.get(database, {})

    def read(self, text: str) -> queried.Text:
        """A text taken apart, each once."""
        if text not in self._texts:
            self._texts[text] = queried.read(text, self._host)
        return self._texts[text]

    def unread(self, database: str, name: str) -> bool:
        """Whether a function may be there that could not be read."""
        gaps = (state.gap(Ref("function", (database, name))) for state in self._states)
        return any(gap is not None and gap.failure.reason != "absent" for gap in gaps)


def _shown(text: Value) -> str:
    return text.shown if isinstance(text, Hidden) else str(text)


def databases_read(export: Entity, state: Stored) -> frozenset[str]:
    """Every database that an export's query is known to read."""
    return reads(export, state).databases


def reads(export: Entity, stored: Stored) -> Reads:
    """What an export's query reads: ``reads:`` wins, else ``database("x")`` calls, followed through the stored
    functions that it calls, wherever they are."""
    own = export.ref.name[0]
    stated = export.attributes.get("reads")
    if stated is not None:
        return Reads(frozenset({own, *stated}))
    query = _shown(export.fields.get("query") or "")
    if not query and isinstance(export.fields.get("query"), Hidden):
        return Reads(frozenset({own}), ("its query is not shown",))
    if not stored.functions(own) and "database" not in query and not stored.unread(own, ""):
        return Reads(frozenset({own}))
    known, doubtful = _followed([(own, query)], stored)
    for database, name in sorted(doubtful):
        more, _ = _followed([(database, stored.functions(database)[name])], stored)
        if more.databases - known.databases or more.open:
            said = f"whether '{name}' is a column or the function of {database} that reads other databases"
            known = Reads(known.databases, (*known.open, said))
    return Reads(known.databases | {own}, tuple(dict.fromkeys(known.open)))


def _followed(texts: list[tuple[str, str]], stored: Stored) -> tuple[Reads, set[tuple[str, str]]]:
    """What texts (each of a database) read, functions included, and the names that may be functions of theirs."""
    found, said = {database for database, _ in texts}, list[str]()
    seen, doubtful = set[tuple[str, str]](), set[tuple[str, str]]()
    while texts:
        here, text = texts.pop()
        parts = stored.read(text)
        found |= parts.databases
        said += parts.open
        doubtful |= {(here, word) for word in parts.words & stored.functions(here).keys()}
        for place in parts.places:
            where = (place.database or here, place.name)
            body = stored.functions(where[0]).get(where[1])
            if where in seen:
                continue
            seen.add(where)
            if body:
                texts.append((where[0], body))
            elif body is not None or (place.called and stored.unread(*where)):
                said.append(f"what function '{where[1]}' of {where[0]} reads, which could not be read")
    return Reads(frozenset(found), tuple(said)), doubtful - seen


def read_by(exports: Iterable[Entity], stored: Stored) -> frozenset[str]:
    """Every database that one of these exports reads."""
    return frozenset().union(*(databases_read(export, stored) for export in exports))


def surroundings(desired: State, scope: Scope) -> Scope:
    """The scope with the databases that queries read, so that the roles on them are read too, and with
    the identities that something uses and the spec does not name: the system identity, and object ids."""
    read = read_by(desired.of_kind("continuous_export"), Stored(desired, cluster=scope.cluster_uri))
    given = dict.fromkeys(sorted(object_ids(desired)), "")
    identities = {**given, **scope.identities}  # first, so that whoever has a name too goes by it
    pruned = scope.prune.get("grants", "none") != "none"  # what the last export leaves behind has to be recognised
    if pruned or any(_uses_system(entity) for entity in desired.entities.values()):
        identities.setdefault(SYSTEM, "")
    databases = tuple(dict.fromkeys((*scope.databases, *sorted(read))))
    raw = {entity.ref.name[2]: entity.ref.name[2] for entity in desired.of_kind("database_role")}
    principals = {symbol: fqn for symbol, fqn in raw.items() if symbol not in identities}
    rotations = tuple(replace(one, exports=_concerned(one, desired)) for one in scope.rotations)
    targets = {target.name: target for table in desired.of_kind("external_table") for target in _raw_targets(table)}
    return replace(
        scope,
        databases=databases,
        identities=identities,
        directory=replace(scope.directory, attributes={**_known(given), **scope.directory.attributes}),
        principals={**principals, **scope.principals},
        targets={**targets, **scope.targets},
        rotations=rotations,
    )


def object_ids(desired: State) -> set[str]:
    """The identities that exports and external tables name by their object ids."""
    exports = {export.fields.get("managedIdentity") for export in desired.of_kind("continuous_export")}
    tables = {symbol for table in desired.of_kind("external_table") for symbol in carried(table)}
    return {one for one in exports | tables if isinstance(one, str) and is_guid(one)}


def named(desired: State, scope: Scope) -> State:
    """Desired with the names of identities that it tells by their object ids, once it is known whose those are."""
    known = [(key, symbol) for key, symbol in scope.directory.symbols.items() if symbol in scope.identities]
    ids = {key: symbol for key, symbol in known if is_guid(key)}
    names = {key: symbol for key, symbol in ids.items() if key != symbol}
    names |= {f"aadapp={key}": symbol for key, symbol in ids.items()}
    if not names:
        return desired
    entities = (_named(entity, names) for entity in desired.entities.values())
    return replace(desired, entities={entity.ref: entity for entity in entities})


def _named(entity: Entity, names: Mapping[str, str]) -> Entity:
    if entity.ref.kind in ("database_role", "cluster_role", "managed_identity_policy"):
        ref = Ref(entity.ref.kind, tuple([names.get(part, part) for part in entity.ref.name]))
        return entity if ref == entity.ref else replace(entity, ref=ref)
    if entity.ref.kind == "continuous_export":
        symbol = entity.fields.get("managedIdentity")
        known = names.get(symbol) if isinstance(symbol, str) else None
        return replace(entity, fields={**entity.fields, "managedIdentity": known}) if known else entity
    if entity.ref.kind == "external_table" and carried(entity) & names.keys():
        fields = dict(entity.fields)
        if fields.get("kind") == "sql":
            fields["connection"] = _renamed(fields["connection"], names)
        else:
            fields["connections"] = tuple([_renamed(one, names) for one in fields["connections"]])
        return replace(entity, fields=fields)
    return entity


def _renamed(connection: Mapping[str, Value], names: Mapping[str, str]) -> Mapping[str, Value]:
    symbol = connection.get("identity")
    return {**connection, "identity": names.get(symbol, symbol)} if isinstance(symbol, str) else connection


def _known(given: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    return {one: {"principalId": one} for one in given}


def _raw_targets(table: Entity) -> Iterator[Target]:
    """Connection strings written out instead of naming a target: kinds find their places the same way."""
    if table.attributes.get("target"):
        return
    for number, connection in enumerate(connections(table)):
        keys = ("server", "database", "auth") if table.fields.get("kind") == "sql" else ("uri", "auth")
        doc = {("url" if key == "uri" else key): connection.get(key) for key in keys}
        yield Target(f"{table.ref.label}#{number}", doc)


def _uses_system(entity: Entity) -> bool:
    if entity.ref.kind == "continuous_export":
        return entity.fields.get("managedIdentity") == SYSTEM
    return entity.ref.kind == "external_table" and SYSTEM in carried(entity)


def carried(table: Entity) -> set[str]:
    """The identities that an external table's connection strings carry themselves."""
    identities = (one.get("identity") for one in connections(table) if one.get("auth") == "managedIdentity")
    return {identity for identity in identities if isinstance(identity, str)}


def connections(table: Entity) -> Iterable[Mapping[str, str | None]]:
    """An external table's connections: one for SQL, one or more for storage."""
    if table.fields.get("kind") == "sql":
        return (table.fields["connection"],)
    return table.fields.get("connections") or ()


def place(table: Entity) -> tuple[Value, ...]:
    """Where an external table's files or rows lie; how one gets in there, which may be masked, is no part of it."""
    if table.fields.get("kind") == "sql":
        connection = table.fields["connection"]
        return (connection["server"], connection["database"], table.fields.get("table"))
    return tuple(sorted(str(one["uri"]) for one in connections(table)))


def moved(one: Entity, other: Entity) -> bool:
    """Whether two sides of an external table lie in different places; what is masked may be the same."""
    if one.fields.get("kind") != other.fields.get("kind"):
        return True
    places = (place(one), place(other))
    if any(isinstance(part, Hidden) for side in places for part in side):
        pairs = zip(*places, strict=False)
        return any(a != b for a, b in pairs if not isinstance(a, Hidden) and not isinstance(b, Hidden))
    return places[0] != places[1]


def table_of(export: Entity, *states: State) -> Entity | None:
    """The external table that an export writes to, in the first of the states that has it."""
    ref = Ref("external_table", (export.ref.name[0], str(export.fields.get("to"))))
    return next((state.entities[ref] for state in states if ref in state.entities), None)


def writers(table: Ref, state: State) -> list[Entity]:
    """The exports that write to an external table, in the order of their names."""
    found = (one for one in state.of_kind("continuous_export") if one.ref.name[0] == table.name[0])
    return sorted((one for one in found if one.fields.get("to") == table.name[1]), key=lambda one: one.ref)


def _concerned(rotation: Rotation, desired: State) -> tuple[Ref, ...]:
    """The exports that use what takes another one's place: by themselves, or by the table that they write to."""
    found = []
    for export in desired.of_kind("continuous_export"):
        table = table_of(export, desired)
        if rotation.what == "target":
            uses = table is not None and table.attributes.get("target") == rotation.name
        else:
            uses = export.fields.get("managedIdentity") == rotation.name
            uses = uses or (table is not None and rotation.name in carried(table))
        found += [export.ref] if uses else []
    return tuple(sorted(found))
