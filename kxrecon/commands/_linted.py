"""What the lint pack says of a plan, as findings of that plan."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kxrecon.commands._wire import asks_server
from kxrecon.model import Action, Finding, Plane, Ref

if TYPE_CHECKING:
    from kxrecon.lint import Checked
    from kxrecon.lint.pack import Asking
    from kxrecon.observe import Observation
    from kxrecon.plan import Draft
    from kxrecon.planes import PlaneClient
    from kxrecon.spec import Spec


def server(
    options: argparse.Namespace,
    spec: Spec,
    seen: Observation,
    actions: Sequence[Action],
    clients: Mapping[Plane, PlaneClient],
) -> Asking | None:
    """Who asks the server about a plan's queries and definitions; None if nobody is to (``--server-check``)."""
    if not asks_server(options):
        return None
    from kxrecon.lint.server import Server

    return Server(clients["kusto"], seen.scope, actions, spec.secrets, options.max_parallel).judge


def linted(made: Draft, spec: Spec, seen: Observation, ask: Asking | None) -> Draft:
    """A draft with the pack's findings: errors as what is wrong, the rest as notes; and with a hazard for each export
    that this plan would break.

    The language service is left to ``kxrecon lint``: it takes a second to start, and milliseconds for each query.
    """
    from kxrecon.lint import check
    from kxrecon.lint.breaking import breaking

    checked = check(spec.document, spec.desired, seen.state, gone=deleted(made.actions), deep=False, ask=ask)
    broken = breaking(spec.document, spec.desired, seen.state, checked, made.actions)
    actions = tuple(
        replace(action, hazards=(*action.hazards, *broken[action.id])) if action.id in broken else action
        for action in made.actions
    )
    return replace(made, actions=actions, findings=(*made.findings, *_findings(checked, spec)))


def deleted(actions: Sequence[Action]) -> frozenset[Ref]:
    """What a plan takes away."""
    return frozenset(ref for action in actions if action.verb == "delete" for ref in action.refs)


def _findings(checked: Checked, spec: Spec) -> Iterator[Finding]:
    refs = {ref.label: ref for ref in spec.desired.entities if ref.kind == "continuous_export"}
    for one in checked.findings:
        ref = refs.get(one.entity)
        if one.severity == "error":
            yield Finding("wrong", ref, f"{one.code} {one.message}", one.remedy)
        else:
            yield Finding("note", ref, f"{one.severity} {one.code}: {one.message}", one.remedy)
    yield from (Finding("note", None, why) for why in (*checked.unchecked, *checked.told))
