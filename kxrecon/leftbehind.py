"""What a spec leaves behind: things of its own that it no longer states, and exports that run on without it.

A mark is a principal's Notes or a role assignment's description, ``kxrecon/<spec>``. Anything else has no place for
one; there the ledger knows what an apply of the spec made. Without a ledger it is nobody's, and stays.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from kxrecon import kql
from kxrecon.elsewhere import speaks_for
from kxrecon.model import Entity, Finding, Ref, State
from kxrecon.prune import SECTIONS, Pruning
from kxrecon.scope import Scope

MARKED = ("database_role", "role_assignment")


def findings(desired: State, observed: State, scope: Scope, followed: Container[Ref] = ()) -> Iterator[Finding]:
    """What to say at every plan. ``desired`` has its derived links; what is pruned is an action, and not said here,
    nor are the exports that another one follows (``followed``): ``rename.py`` tells of these."""
    pruning = Pruning(desired, scope, observed)
    mine = (one for one in observed.entities.values() if one.owner == scope.mark)
    owned = sorted((one for one in mine if one.ref not in desired.entities and one.ref not in followed), key=_ref)
    for entity in owned:
        yield from _grant(entity, pruning, scope) if entity.ref.kind in MARKED else _made(entity, pruning, scope)
    yield from _unseen(desired, observed, pruning)
    for export in sorted(pruning.staying, key=_ref):
        if export.owner != scope.mark and export.ref not in followed:
            yield from _export(export, owned, pruning, desired, scope)
    yield from _shared(desired, observed, scope)


def _ref(entity: Entity) -> Ref:
    return entity.ref


def _grant(entity: Entity, pruning: Pruning, scope: Scope) -> Iterator[Finding]:
    if pruning.takes(entity) or pruning.kept(entity):
        return
    users, doubt = pruning.users(entity), pruning.unseen(entity.ref)
    if users:
        message = f"carries the mark {scope.mark}, and is kept for {', '.join(users)}, which this spec does not have"
        yield Finding("left-behind", entity.ref, message)
    elif doubt:
        message = f"carries the mark {scope.mark}; whether something needs it cannot be told: {doubt}"
        yield Finding("left-behind", entity.ref, message)
    else:
        message = f"carries the mark {scope.mark}, and nothing needs it any more"
        remedy = f"{_removes('grants', entity, scope)}; without the mark in its {_field(entity.ref)} it is released"
        yield Finding("left-behind", entity.ref, message, remedy)


def _removes(section: str, entity: Entity, scope: Scope) -> str:
    """What takes away something of this spec's; nothing is pruned in a database that it does not name."""
    named = "" if speaks_for(entity.ref, scope) else f", once the spec names {entity.ref.name[0]} again,"
    return f"prune: {{ {section}: owned }}{named} removes it"


def _unseen(desired: State, observed: State, pruning: Pruning) -> Iterator[Finding]:
    """What is not pruned because whoever may need it could not be read."""
    for ref in sorted(observed.entities.keys() - desired.entities.keys()):
        why = pruning.kept(observed.entities[ref])
        if why:
            yield Finding("unknown", ref, f"stays: {why}, so it cannot be told whether something needs it")


def _made(entity: Entity, pruning: Pruning, scope: Scope) -> Iterator[Finding]:
    """What the ledger says is this spec's."""
    section = SECTIONS.get(entity.ref.kind)
    if section is None or pruning.takes(entity) or pruning.kept(entity):
        return
    runs = entity.ref.kind == "continuous_export" and entity.fields.get("isDisabled") is not True
    message = f"{'runs on' if runs else 'is still there'}: an apply of this spec made it, and the spec no longer has it"
    yield Finding("left-behind", entity.ref, message, _removes(section, entity, scope))


def _field(ref: Ref) -> str:
    return "notes" if ref.kind == "database_role" else "description"


def _export(export: Entity, owned: list[Entity], pruning: Pruning, desired: State, scope: Scope) -> Iterator[Finding]:
    """An export that the spec does not have but still serves: by its table, or by a grant that it once made."""
    database, name = export.ref.name
    table = Ref("external_table", (database, str(export.fields.get("to"))))
    if table in desired.entities:
        why = f"it writes to {table.name[1]} of this spec"
    elif any(export.ref.label in pruning.users(entity) for entity in owned) and not scope.directory.unread:
        why = f"it relies on grants with the mark {scope.mark}"
    else:
        return
    remedy = (
        f"to remove it: .drop continuous-export {kql.identifier(name)} in {database}; to take it back: "
        f"kxrecon import --cluster {scope.cluster_uri} --export {export.ref.label} --merge SPEC"
    )
    runs = "is still there, disabled" if export.fields.get("isDisabled") is True else "runs on"
    yield Finding("left-behind", export.ref, f"{runs}, though this spec does not have it: {why}", remedy)


def _shared(desired: State, observed: State, scope: Scope) -> Iterator[Finding]:
    """A link of ours that another spec made: it goes when that spec lets it go."""
    for ref, entity in desired.entities.items():
        seen = observed.entities.get(ref)
        if seen is not None and seen.owner not in (None, scope.mark) and entity.reasons:
            how = "it carries the mark" if ref.kind in MARKED else "by the ledger it has the mark"
            yield Finding("note", ref, f"is shared: {scope.mark} needs it, and {how} {seen.owner}")
