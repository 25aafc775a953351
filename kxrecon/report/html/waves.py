"""The order of a plan at a glance: what waits for nothing, what for that, and so on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from kxrecon.report import plan_view as view
from kxrecon.report.html.actions import Planned

NAMED = 10  # actions of a wave that are named; of a longer one the kinds are counted


@dataclass(frozen=True, slots=True)
class Wave:
    """Actions that wait for nothing but earlier waves: named, or counted by verb and kind."""

    number: int
    actions: int
    named: Sequence[tuple[str, str, str, str]]  # anchor, verb, kind, name
    counted: Sequence[tuple[int, str, str]]  # how many, verb, kind


def waves(ones: Sequence[Planned]) -> list[Wave]:
    """Those of one plan; none if everything can be done at once."""
    by_wave = sorted(ones, key=lambda one: (one.action.wave, one.number))
    found = [
        _wave(number, list(members))
        for number, (_, members) in enumerate(groupby(by_wave, key=lambda one: one.action.wave), 1)
    ]
    return found if len(found) > 1 else []


def _wave(number: int, ones: Sequence[Planned]) -> Wave:
    if len(ones) <= NAMED:
        named = [(one.anchor, one.action.verb, one.action.refs[0].kind, view.called(one.action, 1)) for one in ones]
        return Wave(number, len(ones), named, ())
    counts = Counter((one.action.verb, one.action.refs[0].kind) for one in ones)
    return Wave(number, len(ones), (), [(count, *what) for what, count in counts.most_common()])
