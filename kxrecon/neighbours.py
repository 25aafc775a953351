"""Who else relies on what a plan would take away: exports of databases that the spec does not name.

They are asked for only when something goes, or is called needless, that they may rely on: what they show is added to
the observed state, and the plan is made again. What cannot be seen keeps what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from kxrecon.elsewhere import UNLISTED, concerns
from kxrecon.kinds.kusto import continuous_export, database_role, external_table, function, managed_identity_policy
from kxrecon.leftbehind import MARKED
from kxrecon.misread import careful
from kxrecon.model import Answer, Answers, Failure, Gap, Read, Ref, State
from kxrecon.observe import DATABASES, Observation, Planes, database_names, interpret
from kxrecon.plan import Draft
from kxrecon.scope import Scope

KINDS = ("managed_identity_policy", "database_role", "function", "external_table", "continuous_export")
EXPORTS = "continuousExports"


def matter(made: Draft, desired: State, observed: State, scope: Scope) -> bool:
    """Whether a plan takes away, or calls needless, what exports of other databases may rely on. ``desired`` has its
    derived links."""
    going = [change.ref for action in made.actions for change in action.changes if change.verb == "delete"]
    going += [one.ref for one in made.findings if one.kind == "handover" and one.ref and one.ref in observed.entities]
    mine = (one.ref for one in observed.entities.values() if one.owner == scope.mark and one.ref.kind in MARKED)
    return any(concerns(ref, scope) and ref not in desired.entities for ref in (*going, *mine))


def joined(seen: Observation, planes: Planes, workers: int) -> State:
    """The observed state with what the cluster's other databases show, and gaps for what cannot be seen of them."""
    scope, state = seen.scope, seen.state
    if scope.manages("kusto") == "off":
        return replace(state, gaps=(*state.gaps, _unlisted(Failure("denied", "manage: kusto: off"))))
    known = dict(seen.answers)
    _ask([DATABASES], planes, known, workers)
    names, gaps = _others(known[DATABASES], state, scope)
    declared = frozenset(("databases", name, EXPORTS) for name in names)
    wide = replace(scope, databases=tuple(names), declared=declared, rotations=(), prune={})
    _ask([*_exports(names, known), *_beside(wide)], planes, known, workers)
    _ask([*_exports(names, known), *function.reads(_with_exports(wide, known), known)], planes, known, workers)
    found = careful(partial(interpret, KINDS, known, wide), KINDS, known, wide)
    gaps += [gap for gap in found.gaps if gap.symbol is None and gap.prefix != ("cluster",)]
    return replace(state, entities={**found.entities, **state.entities}, gaps=(*state.gaps, *gaps))


def beside(made: Draft, state: State, wider: State) -> Draft:
    """A draft over the wider state, which counts as unchanged only what the spec looks at by itself."""
    return replace(made, unchanged=made.unchanged - len(wider.entities) + len(state.entities))


def _others(answer: Answer, state: State, scope: Scope) -> tuple[list[str], list[Gap]]:
    """The databases whose exports the spec does not look at, in its spelling; and a gap if there may be more.

    ``.show databases`` lists those that the caller has a role on. Whoever may read the cluster's policies may see all.
    """
    listed = database_names(answer)
    if listed is None:
        failure = answer if isinstance(answer, Failure) else Failure("failed", "the answer has no column DatabaseName")
        return [], [_unlisted(failure)]
    spelled = {name.lower(): name for name in scope.databases}
    looked_at = {name.lower() for name in scope.databases if ("databases", name, EXPORTS) in scope.declared}
    names = [spelled.get(name.lower(), name) for name in listed if name.lower() not in looked_at]
    if state.gap(Ref("managed_identity_policy", ("cluster",))) is None:
        return names, []
    few = "the service lists those that this caller has a role on; AllDatabasesMonitor shows all"
    return names, [_unlisted(Failure("denied", few))]


def _unlisted(failure: Failure) -> Gap:
    return Gap(UNLISTED, (), failure)


def _exports(names: Sequence[str], known: Answers) -> Iterator[Read]:
    return (read for name in names for read in continuous_export.shown(name, known))


def _beside(scope: Scope) -> Iterator[Read]:
    """Where exports write to, and what was given to identities in their databases."""
    yield from map(external_table.shown, scope.databases)
    yield from managed_identity_policy.reads(scope, {})
    yield from database_role.reads(scope, {})


def _with_exports(scope: Scope, known: Answers) -> Scope:
    """The scope with those databases only that have exports: what their queries call may read other databases."""
    has = (name for name in scope.databases for read in _exports([name], {}) if getattr(known[read], "rows", None))
    return replace(scope, databases=tuple(has))


def _ask(questions: Sequence[Read], planes: Planes, known: dict[Read, Answer], workers: int) -> None:
    new = [read for read in dict.fromkeys(questions) if read not in known]
    if new:
        with ThreadPoolExecutor(workers, thread_name_prefix="neighbour") as pool:
            known.update(zip(new, pool.map(lambda read: planes[read.plane].read(read), new), strict=True))
