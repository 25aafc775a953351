"""What the lint pack says of a plan, as findings of that plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kxrecon.model import Finding, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kxrecon.lint import Checked
    from kxrecon.observe import Observation
    from kxrecon.plan import Draft
    from kxrecon.spec import Spec


def linted(made: Draft, spec: Spec, seen: Observation) -> Draft:
    """A draft with the pack's findings: errors as what is wrong, the rest as notes.

    The language service is left to ``kxrecon lint``: it takes a second to start, and milliseconds for each query.
    """
    from kxrecon.lint import check

    checked = check(spec.document, spec.desired, seen.state, gone=deleted(made), deep=False)
    return replace(made, findings=(*made.findings, *_findings(checked, spec)))


def deleted(made: Draft) -> frozenset[Ref]:
    """What the plan takes away."""
    return frozenset(ref for action in made.actions if action.verb == "delete" for ref in action.refs)


def _findings(checked: Checked, spec: Spec) -> Iterator[Finding]:
    refs = {ref.label: ref for ref in spec.desired.entities if ref.kind == "continuous_export"}
    for one in checked.findings:
        ref = refs.get(one.entity)
        if one.severity == "error":
            yield Finding("wrong", ref, f"{one.code} {one.message}", one.remedy)
        else:
            yield Finding("note", ref, f"{one.severity} {one.code}: {one.message}", one.remedy)
    yield from (Finding("note", None, why) for why in checked.unchecked)
