"""What a plan says instead of doing: what could not be read, what others must write, what a kind refuses.

Whatever waits for such a thing is withheld with it, and told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kxrecon import handover
from kxrecon.called import called
from kxrecon.derive import Derivation
from kxrecon.diff import Differences
from kxrecon.graph import Node, order
from kxrecon.kinds import World, kind
from kxrecon.model import Change, Finding, Hidden, Ref, State, Value
from kxrecon.relied import relied_on

REMEDY = "plan --reassert writes it again"
LEDGER = "; a ledger knows what was written (docs/ledger.md)"
# What uses grants: as long as it stays as it is, so do they.
USERS = frozenset({"continuous_export", "external_table", "function"})


def standstill(observed: State) -> Iterator[Finding]:
    """A stopped cluster has no data plane: nothing can be read from it or written to it."""
    reading = observed.readings.get(Ref("cluster_identity", ("",)))
    state = reading.values.get("state") if reading else None
    if state and state != "Running":
        yield Finding("blocked", None, f"the cluster is {state}, not Running", "start it, then plan again")


def unread(differences: Differences, observed: State) -> Iterator[Finding]:
    """What could not be read, with the service's words: it is neither planned nor called missing."""
    for ref in differences.unknown:
        gap = observed.gap(ref)
        why = f" ({gap.failure.reason}: {gap.failure.message})" if gap else ""
        yield Finding("unknown", ref, f"could not be read{why}, so it is neither planned nor called missing")


def unverifiable(differences: Differences, observed: State, *, judged: bool) -> list[Finding]:
    """Fields that the service masks, with what of each is compared all the same; ``judged``: a ledger was asked."""
    remedy = REMEDY if judged else REMEDY + LEDGER
    found: list[Finding] = []
    for ref, name in differences.unverifiable:
        message = _as_far_as_shown(name, observed.entities[ref].fields[name])
        why = differences.why.get((ref, name))
        found.append(Finding("unverifiable", ref, f"{message}: {why}" if why else message, remedy))
    return found


def _as_far_as_shown(name: str, seen: Value) -> str:
    if isinstance(seen, Hidden):
        if seen.shown:
            return f"{name} is as the spec says but for its hidden literals, which cannot be read back"
        return f"{name} cannot be read back, so it is not compared"
    records = [one for one in (seen if isinstance(seen, tuple) else (seen,)) if isinstance(one, Mapping)]
    hidden = dict.fromkeys(key for one in records for key, part in one.items() if isinstance(part, Hidden))
    shown = dict.fromkeys(key for one in records for key, part in one.items() if part and key not in hidden)
    if not shown:
        return f"{name} cannot be read back, so it is not compared"
    compared = f"{_listed(list(shown))} {'are' if len(shown) > 1 else 'is'} as the spec says"
    return f"{name}: {compared}; {_listed(list(hidden))} cannot be read back, so not compared"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def permitted(differences: Differences, derivation: Derivation, world: World) -> tuple[list[Change], list[Finding]]:
    """Split off what this pipeline may not write, what waits for it, and what is still needed until it is done."""
    findings: list[Finding] = []
    managed = [(change, world.scope.manages(kind(change.ref.kind).PLANE)) for change in differences.changes]
    mine = [change for change, manage in managed if manage == "apply"]
    others = [change for change, manage in managed if manage == "check"]  # off: nobody looked, so nobody can tell
    missing: dict[Ref, str] = {
        finding.ref: f"{called(finding.ref)}, which is {'handed over' if finding.kind == 'handover' else 'blocked'}"
        for finding in derivation.findings
        if finding.ref and finding.kind in ("blocked", "handover")
    }
    missing |= {
        change.ref: f"{called(change.ref)}, which is handed over" for change in others if change.verb != "delete"
    }
    blocked = list(_waiting(mine, missing, derivation))
    mine = [change for change in mine if change.ref not in missing]
    kept = _kept(differences, mine, world)
    left = [change for change in others if change.ref not in kept]
    findings += [_handed_over(change, world) for change in _in_order(left, derivation)]
    findings += blocked
    findings += [Finding("blocked", ref, f"stays for now: {why}") for ref, why in sorted(kept.items())]
    return [change for change in mine if change.ref not in kept], findings


def _in_order(changes: Sequence[Change], derivation: Derivation) -> list[Change]:
    """Changes as others have to make them: what is needed first, what goes last when nobody needs it any more."""
    nodes = {change.ref: Node((change,), ()) for change in changes}
    for node in nodes.values():
        (change,) = node.changes
        for need in needs(change, derivation.needs):
            other = nodes.get(need)
            if other is not None and other is not node and (change.verb == "delete") == (other.verb == "delete"):
                first, then = (node, other) if change.verb == "delete" else (other, node)
                then.after.append(first)
    return [node.changes[0] for _, node in order(list(nodes.values()))]


def _handed_over(change: Change, world: World) -> Finding:
    reasons = f"; {', '.join(change.entity.reasons)}" if change.entity.reasons else ""
    plane = kind(change.ref.kind).PLANE
    message = f"{change.verb} is left to its owner (manage: {plane}: check){reasons}"
    return Finding("handover", change.ref, message, handover.commands(change, world))


def _waiting(mine: Iterable[Change], missing: dict[Ref, str], derivation: Derivation) -> Iterator[Finding]:
    """Changes that wait for what is missing, and what waits for them; all of them are missing then."""
    left = [change for change in mine if change.verb != "delete"]
    waiting = True
    while waiting:
        waiting = False
        for change in list(left):
            lacks = next((need for need in needs(change, derivation.needs) if need in missing), None)
            if lacks:
                left.remove(change)
                missing[change.ref] = f"{called(change.ref)}, which is blocked"
                yield Finding("blocked", change.ref, f"waits for {missing[lacks]}")
                waiting = True


def _kept(differences: Differences, mine: Iterable[Change], world: World) -> dict[Ref, str]:
    """Deletions that would take from exports what they use as long as they are not changed, with who uses it."""
    gone = {change.ref: change.entity for change in differences.changes if change.verb == "delete"}
    made = {change.ref for change in mine}
    held = [change.ref for change in differences.changes if change.ref.kind in USERS and change.ref not in made]
    if not gone or not held:
        return {}
    entities = dict(world.desired.entities)
    for ref in held:
        entities.pop(ref, None)
        if ref in world.observed.entities:
            entities[ref] = world.observed.entities[ref]
    return relied_on(gone, replace(world.desired, entities=entities), world.observed, world.scope)


def needs(change: Change, extra: Mapping[Ref, tuple[Ref, ...]]) -> list[Ref]:
    """What a change waits for: its kind's needs and its derived links."""
    own = [need.ref for need in kind(change.ref.kind).needs(change.entity)]
    return [*own, *extra.get(change.ref, ())]


def without_refused(nodes: Sequence[Node]) -> tuple[list[Node], list[Finding]]:
    """A step without requests is a kind's refusal (a type change, the last admin); what waits for it is blocked too.

    No export stands still for what is refused, and what else it would have stood still for is not changed under it.
    """
    kept = list(nodes)
    findings: dict[Finding, None] = {}
    gone: dict[int, str] = {}
    stops = [node for node in nodes if node.standstill]
    while True:
        lost = next((node for node in kept if _refused(node) or _cause(node, gone) is not None), None)
        if lost is None:
            return _without_idle(kept), list(findings)
        kept.remove(lost)
        cause = _cause(lost, gone)
        gone[id(lost)] = cause if cause and lost.standstill else called(lost.changes[0].ref)
        for stop in stops:
            if any(other is stop for other in lost.after) or stop.changes[0].ref in [one.ref for one in lost.changes]:
                gone.setdefault(id(stop), gone[id(lost)])
        if all(step.phase in ("apply", "backfill", "wait") for step in lost.steps) and not lost.standstill:
            findings.update(dict.fromkeys(_blocked(lost, cause)))


def _cause(node: Node, gone: Mapping[int, str]) -> str | None:
    """What a node waits for in vain; an export that would stand still for it is in ``gone`` before it is taken out."""
    return gone.get(id(node)) or next((gone[id(other)] for other in node.after if id(other) in gone), None)


def _without_idle(nodes: Sequence[Node]) -> list[Node]:
    """Without the waits that only what is gone has waited for."""
    needed = {id(other) for node in nodes for other in node.after}
    return [
        node
        for node in nodes
        if id(node) in needed or not any(step.until and step.until.what != "good-runs" for step in node.steps)
    ]


def _refused(node: Node) -> bool:
    return bool(node.steps) and all(not step.requests and step.until is None for step in node.steps)


def _blocked(node: Node, cause: str | None) -> Iterator[Finding]:
    if cause is not None:
        yield from (Finding("blocked", change.ref, f"waits for {cause}, which is blocked") for change in node.changes)
        return
    for step in node.steps:
        told = [(hazard.ref, f"{hazard.hazard}: {hazard.reason}") for hazard in step.hazards]
        told = told or [(change.ref, "; ".join(step.notes) or "refused") for change in node.changes]
        yield from (Finding("blocked", ref, words) for ref, words in told)
