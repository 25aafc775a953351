"""The spec's document from an estate: entries by kind, comments beside them, and what could not be taken over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import kind
from kxrecon.kinds.kusto._connections import UNSTATED
from kxrecon.model import Entity, Hidden, Ref
from kxrecon.scope import SYSTEM
from kxrecon.takeover.closure import SECTIONS, Closure
from kxrecon.takeover.rights import Writing, settle
from kxrecon.takeover.survey import Survey
from kxrecon.takeover.targets import Doc, Targets

Path = tuple[str, ...]
_EMPTY = ("folder", "docString", "namePrefix", "fileExtension", "primaryKey", "partitions")
_UNSEEN = "managedIdentity could not be read: state it before you change anything else here"


@dataclass
class Composed:
    """A spec in the making: ``document``, ``comments`` by path, ``left_out`` entities with the reason."""

    document: Doc
    targets: Targets
    comments: dict[Path, list[str]] = field(default_factory=dict)
    left_out: dict[Ref, str] = field(default_factory=dict)

    def entry(self, ref: Ref) -> Doc | None:
        """The entry of an entity that lives in a section of a database."""
        database = self.document["databases"].get(ref.name[0]) or {}
        found: Doc | None = (database.get(SECTIONS[ref.kind]) or {}).get(ref.name[1])
        return found

    def note(self, path: Path, text: str) -> None:
        """Say something beside an entry, once."""
        if text and text not in self.comments.setdefault(path, []):
            self.comments[path].append(text)

    def drop(self, ref: Ref, reason: str) -> None:
        """Take an entity out again, and the exports that write to it."""
        if ref in self.left_out:
            return
        self.left_out[ref] = reason
        sections = self.document["databases"].get(ref.name[0]) or {}
        (sections.get(SECTIONS[ref.kind]) or {}).pop(ref.name[1], None)
        if ref.kind == "external_table":
            exports = sections.get("continuousExports") or {}
            for name in [name for name, entry in exports.items() if entry.get("to") == ref.name[1]]:
                self.drop(Ref("continuous_export", (ref.name[0], name)), f"it writes to {ref.name[1]}: {reason}")


def compose(seen: Survey, closed: Closure, targets: Targets, *, workers: int = 8) -> tuple[Composed, Survey]:
    """The document of a closure, and the survey completed by what is granted on its targets."""
    databases: Doc = {}
    made = Composed({"databases": databases}, targets)
    writers = _writers(closed)
    writings: list[Writing] = []
    for entity in _in_order(closed):
        database, name = entity.ref.name
        entry = _entry(entity)
        if entity.ref.kind == "external_table":
            place, comment = targets.place(entity, writers.get(entity.ref, ()))
            entry = _placed(entry, place)
            made.note(("databases", database, "externalTables", name), comment)
            writings += [Writing(entry, who) for who in _known(entity, writers.get(entity.ref, ()), targets, entry)]
        if entity.ref.kind == "continuous_export" and isinstance(entity.fields.get("managedIdentity"), Hidden):
            made.note(("databases", database, "continuousExports", name), _UNSEEN)
        section = databases.setdefault(database, {}).setdefault(SECTIONS[entity.ref.kind], {})
        section[name] = entry
    found = settle(targets, writings, seen, workers=workers)
    for entity in closed.entities:
        reason = _unsayable(entity)
        if reason:
            made.drop(entity.ref, reason)
    _frame(made, found)
    return made, found


def _in_order(closed: Closure) -> Iterator[Entity]:
    """Sections in the order in which people read them: what is there, where it goes, how."""
    for database in sorted({entity.ref.name[0] for entity in closed.entities}):
        for name in SECTIONS:
            yield from (one for one in closed.of_kind(name) if one.ref.name[0] == database)


def _writers(closed: Closure) -> Mapping[Ref, list[Any]]:
    """Each external table with the identities of the exports that write to it."""
    found: dict[Ref, list[Any]] = {}
    for export in closed.of_kind("continuous_export"):
        ref = Ref("external_table", (export.ref.name[0], str(export.fields.get("to"))))
        symbol = export.fields.get("managedIdentity")
        if symbol not in found.setdefault(ref, []):
            found[ref].append(symbol)
    return found


def _known(table: Entity, writers: Iterable[Any], targets: Targets, entry: Doc) -> list[str]:
    """Who really writes through a table, as far as that is known."""
    carried = (targets.docs.get(str(entry.get("target"))) or {}).get("identity")
    return [carried] if carried else sorted({one for one in writers if isinstance(one, str)})


def _entry(entity: Entity) -> Doc:
    doc: Doc = dict(kind(entity.ref.kind).describe(entity))
    for name in _EMPTY:
        if name in doc and not doc[name]:
            del doc[name]
    if "distribution" in doc:
        doc.pop("distributed", None)
    for name in ("intervalBetweenRuns", "forcedLatency"):
        if name in doc:
            doc[name] = short_timespan(entity.fields[name])
    if isinstance(doc.get("columns"), dict):
        doc["columns"] = _columns(doc["columns"])
    return doc


def _columns(columns: Mapping[str, str]) -> Any:
    """Columns on one line where their names allow it."""
    text = ", ".join(f"{name}:{kind}" for name, kind in columns.items())
    try:
        return text if dict(kql.columns(text)) == columns else dict(columns)
    except ValueError:
        return dict(columns)


def short_timespan(ticks: int) -> str:
    """As people write it: ``10m`` where it is a whole number of one unit."""
    for unit, length in (("d", kql.DAY), ("h", kql.HOUR), ("m", kql.MINUTE), ("s", kql.SECOND)):
        if ticks and ticks % length == 0:
            return f"{ticks // length}{unit}"
    return kql.show_timespan(ticks)


def _placed(entry: Doc, place: Doc) -> Doc:
    """An external table's entry with its place first, in the place of written-out connections."""
    rest = {name: value for name, value in entry.items() if name != "connections"}
    return {"kind": rest.pop("kind"), **place, **rest}


def _unsayable(entity: Entity) -> str:
    """Why an entity cannot be stated in a spec; empty if it can."""
    if isinstance(entity.fields.get("query"), Hidden):
        return "its query holds an obfuscated literal, which the service shows as asterisks"
    if isinstance(entity.fields.get("body"), Hidden):
        return "its body holds an obfuscated literal, which the service shows as asterisks"
    if isinstance(entity.fields.get("columns"), Hidden):
        return "its columns could not be read"
    return ""


def unstated(made: Composed) -> list[str]:
    """The targets, and the tables with connections of their own, of which nobody has said how they get in."""
    targets = [name for name, doc in (made.document.get("targets") or {}).items() if doc.get("auth") == UNSTATED]
    tables = [
        f"{database}/{name}"
        for database, sections in made.document["databases"].items()
        for name, entry in (sections.get("externalTables") or {}).items()
        if any(str(one).endswith("*") for one in entry.get("connections") or ())
    ]
    return [*targets, *tables]


def refused(made: Composed, problems: Iterable[Problem]) -> bool:
    """Take out the entries, and the databases, that the loader refuses; False if a problem belongs to none."""
    dropped = False
    for problem in problems:
        path = problem.path
        if problem.severity == "error" and len(path) == 2 and path[0] == "databases":
            _without_database(made, str(path[1]), f"its database {path[1]}: {problem.message}")
            dropped = True
        kinds = [name for name, section in SECTIONS.items() if len(path) >= 4 and path[2] == section]
        if problem.severity == "error" and kinds:
            made.drop(Ref(kinds[0], (str(path[1]), str(path[3]))), problem.message)
            dropped = True
    return dropped


def _without_database(made: Composed, name: str, reason: str) -> None:
    kinds = {section: kind for kind, section in SECTIONS.items()}
    for section, entries in made.document["databases"].pop(name, {}).items():
        made.left_out |= {Ref(kinds[section], (name, one)): reason for one in entries}


def _frame(made: Composed, seen: Survey) -> None:
    """Cluster, identities in use, targets and secrets around the databases."""
    scope = seen.scope
    used = identities_in_use(made)
    cluster: Doc = {"uri": scope.cluster_uri}
    if scope.cluster_id:
        cluster["resourceId"] = scope.cluster_id
    identities = {one: (True if one == SYSTEM else scope.identities[one]) for one in scope.identities if one in used}
    if identities and scope.cluster_id:
        cluster["identities"] = dict(sorted(identities.items()))
    rest = made.document
    made.document = {"version": 1, "name": scope.name, "cluster": cluster}
    if scope.cloud != "public":
        made.document["cloud"] = scope.cloud
    if not scope.cluster_id:
        made.document["manage"] = {"arm": "off", "adls": "off", "sql": "off"}
        made.note(("manage",), "the cluster's resource id was not found: set it to look after identities and roles too")
    if made.targets.secrets:
        made.document["variables"] = {
            name: {"secret": True, "description": text} for name, text in made.targets.secrets.items()
        }
    named = _targets_in_use(rest)
    targets = {name: doc for name, doc in made.targets.docs.items() if name in named}
    if targets:
        made.document["targets"] = targets
    made.document |= rest
    for name, text in made.targets.comments.items():
        if name in targets:
            made.note(("targets", name), text)


def _targets_in_use(document: Mapping[str, Any]) -> set[str]:
    tables = [entry for one in document["databases"].values() for entry in (one.get("externalTables") or {}).values()]
    return {str(entry["target"]) for entry in tables if "target" in entry}


def identities_in_use(made: Composed) -> set[str]:
    """The symbols that exports and targets name."""
    exports = [
        entry.get("managedIdentity")
        for database in made.document["databases"].values()
        for entry in (database.get("continuousExports") or {}).values()
    ]
    return {one for one in (*exports, *(doc.get("identity") for doc in made.targets.docs.values())) if one}
