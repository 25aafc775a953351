"""The way from files to a plan, shared by the verbs: load, observe, derive, compare, order."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kxrecon.commands import _gate, _ledger, _named
from kxrecon.commands._files import JOURNAL
from kxrecon.commands._options import variable_values
from kxrecon.commands._wire import planes, wire_name
from kxrecon.model import Finding
from kxrecon.uncollected import uncollected

if TYPE_CHECKING:
    from kxrecon.cursors import Move
    from kxrecon.diff import Judge
    from kxrecon.ignoring import Ignore
    from kxrecon.journal import History
    from kxrecon.ledger.book import Book
    from kxrecon.model import Plane, State
    from kxrecon.observe import Observation
    from kxrecon.plan import Draft, Plan
    from kxrecon.planes import PlaneClient
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec


def load(options: argparse.Namespace, files: Sequence[str] | None = None) -> Spec:
    """The spec that the command line names, with its variables; SpecError with all problems."""
    from kxrecon.spec import load

    return load(files or options.specs, variables=variable_values(options.variables))


def surroundings(spec: Spec) -> Scope:
    """The spec's scope with the other databases that its exports read: links are needed there too."""
    from kxrecon.surroundings import surroundings

    return surroundings(spec.desired, spec.scope)


def plan(options: argparse.Namespace, spec: Spec) -> Plan:
    """Read the cluster and say what would change; writes nothing, and could not."""
    _gate.check_cluster(spec)
    with planes(options, spec, spec.scope, read_only=True) as clients, uncollected():
        return plan_over(options, spec, clients)[0]


def plan_over(
    options: argparse.Namespace,
    spec: Spec,
    clients: Mapping[Plane, PlaneClient],
    *,
    lint: bool = True,
    book: Book | None = None,
) -> tuple[Plan, Observation]:
    """The same over planes that are already open; ``lint`` adds what the lint pack finds, ``book`` is the spec's ledger
    where the caller has opened it.

    PlaneError where the cluster cannot be asked at all.
    """
    from kxrecon.commands._linted import linted, server
    from kxrecon.commands._onward import told
    from kxrecon.derive import derive
    from kxrecon.journal import history
    from kxrecon.neighbours import beside, joined, matter
    from kxrecon.observe import observe, require_cluster
    from kxrecon.plan import Circumstances, draft, make

    seen = observe(surroundings(spec), clients, workers=options.max_parallel, desired=spec.desired)
    require_cluster(seen.answers)
    _gate.check_answer(spec, seen.state)
    book = book or _ledger.opened(options, spec, clients)
    past = history(JOURNAL, spec.scope.cluster_uri, wire_name(options))
    seen = replace(seen, state=_marked(seen.state, book))
    derived = derive(spec.desired, seen.state, seen.scope)
    if book is not None:
        seen = replace(seen, state=_ledger.consulted(book, derived.desired, seen.state, clients))
    judge = _judge(options, derived.desired, book)
    ignore = _ignored(options, spec, derived.desired, seen.state)
    today = datetime.now(UTC).date()
    circumstances = Circumstances(
        past.paused, past.resting, past.filled, past.owed, spec.allow, _marks(options), judge, ignore, today
    )
    made = draft(derived, seen.state, seen.scope, circumstances)
    left = book is not None and book.owners.left_elsewhere(seen.scope)
    if left or matter(made, derived.desired, seen.state, seen.scope):
        wider = _marked(joined(seen, clients, options.max_parallel), book)
        derived = derive(spec.desired, wider, seen.scope)
        made = beside(draft(derived, wider, seen.scope, circumstances), seen.state, wider)
    made = _told(made, past, seen.state, seen.scope)
    if book is not None:
        made = replace(made, findings=(*made.findings, *_ledger.told(options, book, made, derived.desired, seen.state)))
    made = linted(made, spec, seen, server(options, spec, seen, made.actions, clients)) if lint else made
    created = datetime.now(UTC).isoformat(timespec="seconds")
    given = {name: value for name, value in variable_values(options.variables).items() if name not in spec.secrets}
    plan = make(spec, made, seen.scope, wire=wire_name(options), created=created, variables=given)
    return replace(plan, findings=told(plan.findings, plan), lanes=tuple(getattr(options, "lane", ()))), seen


def _marked(observed: State, book: Book | None) -> State:
    """The observed state with the ledger's marks, where there is a ledger."""
    return observed if book is None else book.owners.marked(observed)


def _marks(options: argparse.Namespace) -> bool:
    """Whether grants that are there already get the spec's mark: only where the verb offers it and it was said."""
    return bool(getattr(options, "adopt", False))


def _judge(options: argparse.Namespace, desired: State, book: Book | None) -> Judge | None:
    """Who decides about fields that comparing cannot: the ledger, and somebody who asked for more than that."""
    known = None if book is None else book.judge
    asked = getattr(options, "reassert", None)
    if not asked:
        return known
    from kxrecon.reassert import ALL, reassert

    labels = {ref.label for ref in desired.entities}
    return reassert(_named.here(options, asked, lambda one: one == ALL or one in labels), desired, known)


def _ignored(options: argparse.Namespace, spec: Spec, desired: State, observed: State) -> Sequence[Ignore]:
    """What the spec and the command line leave as it is."""
    said = getattr(options, "ignore", None)
    if not said and not spec.document.get("ignore"):
        return ()
    from kxrecon.ignoring import ignores, is_known, parse

    known = {ref.label for ref in desired.entities.keys() | observed.entities.keys()} if said else set()
    here = _named.here(options, said or (), lambda text: is_known(text, known))
    return (*ignores(spec.document), *(parse(text, known) for text in here))


def moves(past: History, observed: State, scope: Scope) -> tuple[Move, ...]:
    """Exports that do not stand where they stood before an apply that nobody settled, where this spec looks."""
    from kxrecon.cursors import moved

    here = [one for one in past.positions if ("databases", one.ref.name[0], "continuousExports") in scope.declared]
    return moved(here, past.risked, observed)


def of_move(move: Move) -> Finding:
    """What a plan says of an export that moved."""
    message = f"since an apply of ours began, {move.message}"
    if move.expected:
        return Finding("note", move.ref, f"{message} (the plan said that this may happen)", move.repair)
    remedy = f"run once, then kxrecon apply SPEC --settled {move.ref.label} says so: {move.repair}"
    return Finding("moved", move.ref, message, remedy)


def _told(made: Draft, past: History, observed: State, scope: Scope) -> Draft:
    """What the journal knows beyond what the cluster shows: a run that never ended, exports that moved, and backfills
    that nobody saw end. The last two are said at every plan until they are settled."""
    from kxrecon.rename import unfinished

    found: list[Finding] = []
    if past.unfinished is not None:
        begun = f"; it had begun {', '.join(past.begun)}" if past.begun else ""
        told = f"the apply of {past.unfinished} did not end: this plan starts from what it left{begun}"
        found.append(Finding("note", None, told))
    found += map(of_move, moves(past, observed, scope))
    found += unfinished(past.unfilled, observed)
    return replace(made, findings=(*made.findings, *found))
