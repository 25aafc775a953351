"""An identity or a target that takes another one's place: grant, prove, switch, wait for good runs, revoke.

The spec says what shall be true (``rotations:``), the plan follows from it and from what is observed, as ever: no
step of a rotation is kept anywhere, so that whoever plans after a crash, or a day later, gets what is left to do.
What has to be seen in between is a ``wait`` of the plan; as long as it is not seen, the old grants stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kxrecon import former
from kxrecon.kinds import NAMES
from kxrecon.model import Allow, Change, Entity, Finding, Hidden, Reading, Ref, State, Value
from kxrecon.prune import Pruning
from kxrecon.scope import Rotation, Scope
from kxrecon.surroundings import connections, moved, place, table_of

EXPORT = "continuous_export"
POLICY, USER, GRANT = "managed_identity_policy", "sql_user", "sql_grant"
_TICKS = 10  # in a microsecond


@dataclass(frozen=True, slots=True)
class Turn:
    """One rotation as it stands: who has to switch yet, who has but has not shown good runs, and what goes then.

    ``released`` are the old grants that this plan takes away, after all waits; ``kept`` those that stay for now,
    because others write there or an export is ``unseen`` or ``idle``; ``left`` those that stay for good, and why.
    """

    rotation: Rotation
    switching: frozenset[Ref] = frozenset()
    unproven: frozenset[Ref] = frozenset()
    standing: frozenset[Ref] = frozenset()  # disabled: no run of theirs can show anything
    idle: frozenset[Ref] = frozenset()  # of these, those that the spec does not want disabled
    unseen: frozenset[Ref] = frozenset()  # of whom it cannot be read whether they have switched
    released: frozenset[Ref] = frozenset()
    kept: frozenset[Ref] = frozenset()
    left: Mapping[Ref, str] = field(default_factory=dict)
    doubtful: Mapping[Ref, str] = field(default_factory=dict)  # of those kept: what could not be read and may need it

    @property
    def told(self) -> bool:
        """Of every export it can be seen, sooner or later, whether it works with the new one."""
        return not (self.unseen or self.idle)

    @property
    def ready(self) -> bool:
        """Nothing has to be switched or waited for any more."""
        return self.told and not (self.switching or self.unproven)

    @property
    def complete(self) -> bool:
        """Nothing is left of it but its statement in the spec."""
        return not (self.switching or self.unseen or self.released or self.kept)

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        total = len(self.rotation.exports)
        there = total - len(self.switching) - len(self.unseen)
        good = there - len(self.unproven) - len(self.standing - self.switching - self.unseen)
        grants = len(self.released) + len(self.kept)
        switched = f"{there} of {total} export{'' if total == 1 else 's'} switched"
        seen = f"good runs seen of {good}"
        return f"{switched}, {seen}; {grants or 'no'} old grant{'' if grants == 1 else 's'} to take away"


def turns(stated: State, observed: State, scope: Scope) -> tuple[Turn, ...]:
    """Each rotation of the spec, judged by what is observed. ``stated`` is desired with its derived links."""
    return tuple(_turn(rotation, stated, observed, scope) for rotation in scope.rotations)


def _turn(rotation: Rotation, stated: State, observed: State, scope: Scope) -> Turn:
    stating = [ref for ref in rotation.exports if ref in stated.entities]
    unseen = frozenset(ref for ref in stating if _is_hidden(rotation, stated.entities[ref], observed))
    exports = [ref for ref in stating if ref in observed.entities]
    switching = frozenset(
        ref for ref in exports if ref not in unseen and not _is_there(rotation, ref, stated, observed)
    )
    standing = frozenset(ref for ref in exports if _stands(stated.entities[ref], observed.entities[ref]))
    idle = frozenset(ref for ref in standing if stated.entities[ref].fields.get("isDisabled") is not True)
    there = [ref for ref in exports if ref not in switching and ref not in unseen and ref not in standing]
    unproven = frozenset(ref for ref in there if not _is_proven(rotation, ref, observed))
    turn = Turn(rotation, switching, unproven, standing, idle, unseen)
    old = former.grants(rotation, stated, observed, scope)
    left = {ref: why for ref in old if (why := former.stays(rotation, observed.entities[ref], observed, old, scope))}
    going = [ref for ref in old if ref not in left]
    pruning = Pruning(stated, scope, observed)
    doubtful = {ref: why for ref in going if (why := pruning.unseen(ref))}
    released = frozenset(
        ref
        for ref in going
        if ref not in doubtful and (turn.ready or (turn.told and scope.manages(NAMES[ref.kind]) == "apply"))
    )
    return replace(turn, released=released, kept=frozenset(going) - released, left=left, doubtful=doubtful)


# --- where each export stands ---------------------------------------------------------------------------------


def _is_hidden(rotation: Rotation, wanted: Entity, observed: State) -> bool:
    """Whether nobody can tell as whom an export runs, or where it writes."""
    table = Ref("external_table", (wanted.ref.name[0], str(wanted.fields.get("to"))))
    if observed.gap(wanted.ref) or observed.gap(table):
        return True
    export = observed.entities.get(wanted.ref)
    hidden = export is not None and isinstance(export.fields.get("managedIdentity"), Hidden)
    return rotation.what == "identity" and hidden


def _is_there(rotation: Rotation, ref: Ref, stated: State, observed: State) -> bool:
    """Whether an export uses the new one already, itself and by its table."""
    export, wanted = observed.entities[ref], stated.entities[ref]
    table, goal = table_of(wanted, observed), table_of(wanted, stated)
    if rotation.what == "target":
        return export.fields.get("to") == wanted.fields.get("to") and not (table and goal and moved(table, goal))
    same = export.fields.get("managedIdentity") == wanted.fields.get("managedIdentity")
    return same and not (table and goal and _others(table, goal))


def _others(table: Entity, goal: Entity) -> bool:
    """Whether a table's connections carry other identities than they shall."""
    sides = [[one.get("identity") for one in connections(side)] for side in (table, goal)]
    return any(a != b for a, b in zip(*sides, strict=False) if not isinstance(a, Hidden))


def _stands(wanted: Entity, export: Entity) -> bool:
    """Whether an export is disabled once the plan is done."""
    stated = wanted.fields.get("isDisabled")
    return export.fields.get("isDisabled") is True if stated is None else stated is True


def _is_proven(rotation: Rotation, ref: Ref, observed: State) -> bool:
    """Whether runs since the switch are known to have been good: by the journal, or by a file at the new place."""
    reading = observed.readings.get(ref)
    if reading is None or str(reading.values.get("lastRunResult")).lower() != "completed":
        return False
    if rotation.what == "target":
        return rotation.runs == 1 and _wrote_there(reading, ref, observed)
    since, last = _time(reading.values.get("definedAt")), _time(reading.values.get("lastRunTime"))
    if since is None or last is None or reading.values.get("definedAs") != rotation.name:
        return False
    interval = observed.entities[ref].fields.get("intervalBetweenRuns") or 0
    # One interval more than runs: the first run shown may have begun before the switch.
    return last - since >= timedelta(microseconds=rotation.runs * interval // _TICKS)


def _wrote_there(reading: Reading, ref: Ref, observed: State) -> bool:
    table = table_of(observed.entities[ref], observed)
    newest = str(reading.values.get("newestArtifact") or "").lower()
    return table is not None and any(newest.startswith(f"{one}/".lower()) for one in place(table) if one)


def _time(value: Value) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


# --- in the plan ----------------------------------------------------------------------------------------------


def released(desired: State, observed: State, found: Iterable[Turn]) -> State:
    """Desired without the grants that go, and with those that have to stay until a rotation is ready."""
    entities = dict(desired.entities)
    for turn in found:
        for ref in turn.released:
            entities.pop(ref, None)
        for ref in (*turn.kept, *turn.left):
            entities.setdefault(ref, observed.entities[ref])
    return replace(desired, entities=entities)


def explained(changes: Iterable[Change], found: Sequence[Turn]) -> tuple[Change, ...]:
    """The changes, those that only carry out a rotation with it as their reason."""
    return tuple(_explained(change, found) for change in changes)


def _explained(change: Change, found: Sequence[Turn]) -> Change:
    for turn in found:
        told = (f"rotation of {turn.rotation}",)
        if change.verb == "delete" and change.ref in turn.released and change.observed is not None:
            return replace(change, observed=replace(change.observed, reasons=told))
        if change.desired is not None and carries_out(change, turn):
            return replace(change, desired=replace(change.desired, reasons=told))
    return change


def carries_out(change: Change, turn: Turn) -> bool:
    """Whether a change does nothing but switch an export, or a table of exports, to the new one."""
    changed = {part.field.split("[", 1)[0].split(".", 1)[0] for part in change.fields}
    if change.verb != "update" or not changed:
        return False
    if change.ref.kind == EXPORT:
        return changed == {"managedIdentity"} and change.ref in turn.switching
    return (
        change.ref.kind == "external_table" and changed <= {"connections", "connection"} and is_table_of(turn, change)
    )


def is_table_of(turn: Turn, change: Change) -> bool:
    """Whether a table's change is the switch of an export that has to switch."""
    if change.ref.kind != "external_table" or change.observed is None or change.desired is None:
        return False
    if turn.rotation.what == "target":
        return change.desired.attributes.get("target") == turn.rotation.name and moved(change.observed, change.desired)
    return _others(change.observed, change.desired)


def allowed(found: Iterable[Turn]) -> Iterator[Allow]:
    """What the spec has allowed by stating a rotation: by name what it re-points and whom it takes access from."""
    for turn in found:
        reason = f"rotation of {turn.rotation}"
        for ref in sorted(turn.released):
            yield Allow("removes-access", ref.label, None, reason)
        for ref in turn.rotation.exports if turn.rotation.what == "target" else ():
            yield Allow("repoints-export", ref.label, None, reason)


def findings(found: Iterable[Turn]) -> Iterator[Finding]:
    """How far each rotation is, what of the old one stays and why, and what nobody can tell."""
    for turn in found:
        rotation = turn.rotation
        yield _progress(turn)
        for ref in sorted(turn.unseen):
            what = "as whom it runs" if rotation.what == "identity" else "where it writes"
            message = f"nobody can tell {what}, so nothing of {rotation.previous} goes"
            yield Finding(
                "blocked", ref, message, "a right to read it: exports, external tables, the schema as a script"
            )
        for ref in sorted(turn.standing):
            message = f"is disabled: no run of it can show that {rotation.name} works"
            keeps = f", so nothing of {rotation.previous} goes"
            remedy = "state isDisabled: true in the spec, or enable it again"
            yield Finding("note", ref, message + keeps, remedy) if ref in turn.idle else Finding("note", ref, message)
        for ref, why in sorted(turn.left.items()):
            yield Finding("left-behind", ref, f"belongs to {rotation.previous}, and stays: {why}")
        for ref, why in sorted(turn.doubtful.items()):
            yield Finding("unknown", ref, f"stays: {why}, so it cannot be told whether something needs it")
        for ref in sorted(turn.kept - turn.doubtful.keys()) if turn.told else ():
            yield Finding("note", ref, f"its owner is asked to remove it when the rotation of {rotation} is that far")


def untold(said: Iterable[Finding], found: Sequence[Turn]) -> Iterator[Finding]:
    """What else is said of the plan, without what a rotation takes away or tells itself."""
    known = {ref for turn in found for ref in (*turn.released, *turn.kept, *turn.left)}
    return (one for one in said if one.ref not in known)


def _progress(turn: Turn) -> Finding:
    rotation = turn.rotation
    if turn.complete:
        command = f"kxrecon rotate done SPEC --{rotation.what} {rotation.name}"
        return Finding(
            "note", None, f"the rotation of {rotation} is complete", f"to take it out of the spec: {command}"
        )
    return Finding("note", None, f"rotation of {rotation}: {turn.progress}")
