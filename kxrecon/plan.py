"""From differences to a plan: grouped, ordered by need, in waves, as data that apply executes blindly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

from kxrecon import (
    allowances,
    cursors,
    leftbehind,
    lockout,
    marking,
    moves,
    pause,
    rename,
    rotation,
    stopped,
    unstated,
    waits,
    withheld,
)
from kxrecon.derive import Derivation
from kxrecon.diff import Differences, Judge, adopt, diff
from kxrecon.graph import Node, order
from kxrecon.ignoring import Ignore, left_alone, left_behind
from kxrecon.kinds import World, kind
from kxrecon.leaves import request_unknowns, shown_text
from kxrecon.model import Action, Allow, Change, Entity, Finding, Position, Ref, State, Step
from kxrecon.prune import ONLY_OWNED as GRANTS
from kxrecon.scope import Scope
from kxrecon.tagged import canonical, encode, encoded
from kxrecon.touched import managed
from kxrecon.withheld import USERS, needs


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and what it was made from. ``created`` is an ISO instant in UTC."""

    wire: str
    cluster_uri: str
    spec_name: str
    spec_files: tuple[str, ...]
    spec_digest: str
    created: str
    actions: tuple[Action, ...]
    findings: tuple[Finding, ...] = ()
    allow: tuple[Allow, ...] = ()
    unchanged: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)  # given on the command line; never secret ones
    positions: tuple[Position, ...] = ()  # of the exports that actions touch
    lanes: tuple[str, ...] = ()  # what it was made to be applied in; none: all of it
    managed: int = 0  # existing entities of which the spec speaks: what the limits on change are a share of

    @property
    def digest(self) -> str:
        """SHA-256 over everything that will be sent and everything it was made from. ``created`` and the
        positions are excluded: exports go on running while a plan is reviewed."""
        return digest(encode(self))

    @property
    def blocked(self) -> bool:
        """True if something that the spec asks for cannot be planned: a handover, a missing right, a refusal."""
        return any(finding.kind in ("handover", "blocked") for finding in self.findings)


def digest(document: Mapping[str, Any]) -> str:
    """The digest of a plan that is encoded already (``tagged.encode``)."""
    return hashlib.sha256(encoded({**document, "created": "", "positions": []})).hexdigest()


def fingerprint(entity: Entity | None) -> str | None:
    """The definition fields of an observed entity in 16 hex digits; None if it is absent."""
    return None if entity is None else hashlib.sha256(canonical(dict(entity.fields))).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Draft:
    """The part of a plan that depends on states alone."""

    actions: tuple[Action, ...]
    findings: tuple[Finding, ...]
    unchanged: int
    positions: tuple[Position, ...] = ()
    allow: tuple[Allow, ...] = ()  # what the rotations of the spec allow
    managed: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan takes into account beside the two states.

    ``paused`` are exports that an unfinished run of ours disabled: they are enabled again, without a hazard.
    ``resting`` are those that a run of ours stopped because another one follows them, ``filled`` the exports whose
    bounded export was seen to end, ``owed`` those whose was not, by the export from whose place on it has to begin.
    ``allow`` is what the spec allows: an export that was renamed is only dropped with it. With ``mark`` the grants
    that the spec describes and that carry no mark get its own. ``judge`` decides where comparing alone cannot.
    ``ignore`` is left as it is on the cluster, as far as it still counts on the day ``today``.
    """

    paused: frozenset[Ref] = frozenset()
    resting: frozenset[Ref] = frozenset()
    filled: frozenset[Ref] = frozenset()
    owed: Mapping[Ref, Ref] = field(default_factory=dict)
    allow: Sequence[Allow] = ()
    mark: bool = False
    judge: Judge | None = None
    ignore: Sequence[Ignore] = ()
    today: date = date.min


def draft(derivation: Derivation, observed: State, scope: Scope, given: Circumstances = Circumstances()) -> Draft:
    """Adopt, diff, group, order. Pure: the same states give the same actions, whatever order they came in."""
    followed = rename.successions(derivation.desired, observed)
    paused = pause.standing(given.paused, observed)
    restarted = paused | pause.standing(given.resting, observed)  # nobody stopped these on purpose
    stated = pause.resumed(derivation.desired, observed, paused - followed.keys())
    desired = adopt(stated, observed, scope)
    desired = rename.released(desired, observed, derivation.desired, given.allow, given.filled, given.owed)
    turning = rotation.turns(stated, observed, scope)
    desired = rotation.released(desired, observed, turning)
    desired, guarded = lockout.guarded(desired, observed, scope)
    desired, ignored = left_alone(desired, observed, given.ignore, given.today)
    differences = diff(desired, observed, given.judge)
    differences = replace(differences, changes=rotation.explained(differences.changes, turning))
    world = World(scope, observed, desired)
    changes, held = withheld.permitted(differences, derivation, world)
    own, claimed = _marks(derivation.desired, observed, differences, scope) if given.mark else ((), ())
    nodes = _nodes([*changes, *own], derivation, world)
    nodes = waits.around(nodes, world, turning, derivation.needs)
    nodes, refused = withheld.without_refused(nodes)
    nodes, started = _restarted(nodes, differences, derivation, paused - followed.keys(), world)
    held, refused = ([one for one in ones if not _waits(one, started)] for ones in (held, refused))
    judged = _judged(differences)
    actions = tuple(_told(_without_restart(action, restarted), judged) for action in _actions(order(nodes)))
    left = leftbehind.findings(derivation.desired, observed, scope, followed)
    findings = (
        *withheld.standstill(observed),
        *derivation.findings,
        *withheld.unread(differences, observed),
        *held,
        *claimed,
        *refused,
        *guarded,
        *ignored,
        *allowances.findings(given.allow, desired, observed),
        *withheld.unverifiable(differences, observed, judged=given.judge is not None),
        *stopped.findings(derivation.desired, observed, paused),
        *unstated.findings(derivation.desired, observed),
        *rotation.untold(left_behind(left, given.ignore, given.today), turning),
        *rotation.findings(turning),
        *rename.told(desired, observed, derivation.desired, given.allow),
    )
    unchanged = len(desired.entities) - len(differences.changes) - len(differences.unknown)
    allowed = tuple(rotation.allowed(turning))
    mine = managed(derivation.desired, observed, actions)
    return Draft(actions, findings, unchanged, cursors.positions(actions, observed), allowed, mine)


def _restarted(
    nodes: Sequence[Node], differences: Differences, derivation: Derivation, paused: frozenset[Ref], world: World
) -> tuple[list[Node], frozenset[Ref]]:
    if world.scope.manages("kusto") != "apply":
        return list(nodes), frozenset()
    return pause.restarted(nodes, differences.changes, paused, derivation.needs, world)


def _waits(finding: Finding, started: frozenset[Ref]) -> bool:
    """Whether a finding says that an export waits which is started all the same."""
    return finding.kind == "blocked" and finding.ref in started


def _marks(
    desired: State, observed: State, differences: Differences, scope: Scope
) -> tuple[tuple[Change, ...], tuple[Finding, ...]]:
    return marking.marks(desired, observed, (change.ref for change in differences.changes), scope)


def _without_restart(action: Action, paused: frozenset[Ref]) -> Action:
    kept = tuple(h for h in action.hazards if not (h.hazard == "restarts-export" and h.ref in paused))
    return action if len(kept) == len(action.hazards) else replace(action, hazards=kept)


def _judged(differences: Differences) -> Mapping[Ref, Sequence[str]]:
    """What a judge said of fields that differ, by ref."""
    unsure = frozenset(differences.unverifiable)
    found: dict[Ref, list[str]] = {}
    for (ref, name), why in differences.why.items():
        if (ref, name) not in unsure:
            found.setdefault(ref, []).append(f"{name}: {why}")
    return found


def _told(action: Action, judged: Mapping[Ref, Sequence[str]]) -> Action:
    """The action with what a judge said of the fields that it changes."""
    notes = [note for ref in dict.fromkeys(change.ref for change in action.changes) for note in judged.get(ref, ())]
    return replace(action, notes=(*action.notes, *notes)) if notes else action


def _nodes(changes: Sequence[Change], derivation: Derivation, world: World) -> list[Node]:
    extra = derivation.needs
    pending = {change.ref: change for change in changes}
    groups: dict[Hashable, list[Change]] = defaultdict(list)
    for change in sorted(changes, key=lambda change: change.ref):
        waits = tuple(sorted({need for need in needs(change, extra) if need in pending}))
        key = (
            change.ref.kind,
            kind(change.ref.kind).group(change),
            change.verb in ("delete", "mark") and change.verb,
            waits,
        )
        groups[key].append(change)
    nodes: list[Node] = []
    by_ref: dict[Ref, Node] = {}
    for members in groups.values():
        act = marking.steps if members[0].verb == "mark" else kind(members[0].ref.kind).act
        node = Node(tuple(members), tuple(act(members, world)))
        nodes.append(node)
        by_ref.update({member.ref: node for member in members})
    for node in nodes:
        node.after.extend(_edges(node, by_ref, extra))
    _grant_before(nodes, by_ref, extra)
    _release_before(nodes, by_ref)
    moves.repointing(nodes, world)
    return pause.around(rename.around(nodes, by_ref, world, derivation.desired), by_ref, world)


def _edges(node: Node, by_ref: Mapping[Ref, Node], extra: Mapping[Ref, tuple[Ref, ...]]) -> Iterable[Node]:
    """Creations and updates come after what they need; their deletion is added by ``_release_before``."""
    for change in node.changes:
        if change.verb == "delete":
            continue
        for need in needs(change, extra):
            other = by_ref.get(need)
            if other is not None and other is not node and other.verb != "delete":
                yield other
    for step in node.steps:
        for request in step.requests:
            for leaf in request_unknowns(request):
                if leaf.ref in by_ref and by_ref[leaf.ref] is not node:
                    yield by_ref[leaf.ref]


def _grant_before(nodes: Sequence[Node], by_ref: Mapping[Ref, Node], extra: Mapping[Ref, tuple[Ref, ...]]) -> None:
    """A function that is altered under exports may read more from then on: their grants come first."""
    for node in nodes:
        if node.kind == "function" and node.verb == "update":
            for user, links in extra.items():
                if user.name[0] == node.changes[0].ref.name[0]:
                    node.after.extend(by_ref[link] for link in links if link in by_ref and link.kind in GRANTS)


def _release_before(nodes: Sequence[Node], by_ref: Mapping[Ref, Node]) -> None:
    """Deletes run the edges backwards: whatever needed (or, as observed, used) a thing goes or changes first."""
    users = [node for node in nodes if node.kind in USERS]
    for node in nodes:
        for change in node.changes:
            if change.observed is None:
                continue
            for need in kind(change.ref.kind).needs(change.observed):
                gone = by_ref.get(need.ref)
                if gone is not None and gone is not node and gone.verb == "delete":
                    gone.after.append(node)
        if node.verb == "delete" and node.kind in GRANTS:  # whoever used it has let go by then
            node.after.extend(users)


def _actions(nodes: Iterable[tuple[int, Node]]) -> Iterable[Action]:
    ids: dict[int, str] = {}
    for wave, node in nodes:
        after = tuple(sorted({ids[id(other)] for other in node.after}))
        previous: tuple[str, ...] = after
        for number, step in enumerate(node.steps):
            name = _action_id(node, step, number)
            yield Action(
                id=name,
                refs=tuple(change.ref for change in node.changes),
                phase=step.phase,
                verb=node.verb,
                requests=step.requests,
                after=previous,
                wave=wave,
                hazards=step.hazards,
                reasons=tuple(dict.fromkeys(reason for change in node.changes for reason in change.entity.reasons)),
                notes=step.notes,
                changes=node.changes if number == 0 else (),
                fingerprints=tuple(fingerprint(change.observed) for change in node.changes),
                cursor=step.cursor,
                until=step.until,
            )
            previous = (name,)
        ids[id(node)] = previous[0] if node.steps and previous else ""


def _action_id(node: Node, step: Step, number: int) -> str:
    labels = ",".join(change.ref.label for change in node.changes)
    if len(labels) > 120:
        labels = labels[:100] + "…" + hashlib.sha256(labels.encode()).hexdigest()[:8]
    suffix = f":{number + 1}" if len(node.steps) > 1 else ""
    phase = f":{step.until.what}" if step.until else "" if step.phase == "apply" else f":{step.phase}"
    return f"{node.verb}:{node.kind}:{labels}{phase}{suffix}"


class Source(Protocol):
    """What a plan has to know of the spec it was made from; ``kxrecon.spec.Spec`` is one."""

    @property
    def name(self) -> str:
        """The spec's name."""

    @property
    def named(self) -> tuple[str, ...]:
        """Its files, as named on the command line."""

    @property
    def digest(self) -> str:
        """SHA-256 of the merged document and the files it reads."""

    @property
    def allow(self) -> tuple[Allow, ...]:
        """What its ``allow:`` section allows."""


def make(
    spec: Source, made: Draft, scope: Scope, *, wire: str, created: str, variables: Mapping[str, str] | None = None
) -> Plan:
    """A plan: the draft, tied to its spec, cluster and wire. ``created`` is an ISO instant in UTC; ``variables``
    are those of the command line that apply needs to load the same spec again, secret ones excluded."""
    return Plan(
        wire=wire,
        cluster_uri=scope.cluster_uri,
        spec_name=spec.name,
        spec_files=tuple(spec.named),
        spec_digest=spec.digest,
        created=created,
        actions=made.actions,
        findings=made.findings,
        allow=(*spec.allow, *made.allow),
        unchanged=made.unchanged,
        managed=made.managed,
        positions=made.positions,
        variables=dict(variables or {}),
    )


def requests_text(action: Action) -> list[str]:
    """The exact requests of an action, one string each, secrets by name."""
    return [shown_text(request.text) for request in action.requests]
