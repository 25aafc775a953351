"""What exports need in the databases that they read, and what nobody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kxrecon.errors import UsageError
from kxrecon.kql_text import significant, unquote
from kxrecon.model import Entity, Ref, State
from kxrecon.surroundings import Stored, databases_read


@dataclass(frozen=True, slots=True)
class Closure:
    """The exports that were asked for with all that they need, and the names of what else is there."""

    entities: tuple[Entity, ...]
    unmanaged: Mapping[str, Mapping[str, tuple[str, ...]]]  # database → section → names

    def of_kind(self, kind: str) -> list[Entity]:
        """The entities of one kind, by name."""
        return [entity for entity in self.entities if entity.ref.kind == kind]


SECTIONS = {
    "table": "tables",
    "function": "functions",
    "external_table": "externalTables",
    "continuous_export": "continuousExports",
}


def closure(state: State, wanted: Sequence[str] = ()) -> Closure:
    """The closure of all exports, or of those named (``Name`` or ``Database/Name``); UsageError for one not there."""
    exports = _chosen(state.of_kind("continuous_export"), wanted)
    stored = Stored(state)
    found: dict[Ref, Entity] = {}
    for export in exports:
        for ref in (export.ref, *_needed(export, state, stored)):
            if ref in state.entities:
                found.setdefault(ref, state.entities[ref])
    entities = tuple(found[ref] for ref in sorted(found))
    return Closure(entities, _others(state, found))


def _chosen(exports: Iterable[Entity], wanted: Sequence[str]) -> list[Entity]:
    every = sorted(exports, key=lambda entity: entity.ref)
    names = {name for entity in every for name in (entity.ref.name[1], entity.ref.label)}
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UsageError(f"there is no continuous export {', '.join(missing)} in what was read")
    return [one for one in every if not wanted or one.ref.name[1] in wanted or one.ref.label in wanted]


def _needed(export: Entity, state: State, stored: Stored) -> Iterable[Ref]:
    """Its external table, and every table and function that its query may name, functions followed."""
    database = export.ref.name[0]
    yield Ref("external_table", (database, str(export.fields.get("to"))))
    for name in export.fields.get("over") or ():
        yield Ref("table", (database, name))
    query = export.fields.get("query")
    texts = [query] if isinstance(query, str) else []
    places = sorted(databases_read(export, stored))
    seen: set[str] = set()
    while texts:
        for name in _names(texts.pop()) - seen:
            seen.add(name)
            for place in places:
                yield Ref("table", (place, name))
                function = state.entities.get(Ref("function", (place, name)))
                if function is not None:
                    yield function.ref
                    texts.append(str(function.fields.get("body") or ""))


def _names(text: str) -> set[str]:
    """Every word of a query, and every name in brackets."""
    parts = significant(text)
    words = {token.text for token in parts if token.kind == "word"}
    quoted = {
        unquote(two.text)
        for one, two in zip(parts, parts[1:], strict=False)
        if one.text == "[" and two.kind == "string"
    }
    return words | quoted


def _others(state: State, found: Mapping[Ref, Entity]) -> dict[str, dict[str, tuple[str, ...]]]:
    others: dict[str, dict[str, list[str]]] = {}
    for ref in sorted(state.entities):
        if ref.kind in SECTIONS and ref not in found:
            others.setdefault(ref.name[0], {}).setdefault(SECTIONS[ref.kind], []).append(ref.name[1])
    return {name: {key: tuple(names) for key, names in sections.items()} for name, sections in others.items()}
