"""What somebody beside the rules says of a spec: the language service, the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kxrecon.lint.rules import Lint


@dataclass(frozen=True, slots=True)
class Judgement:
    """Its findings, whose queries it judged (labels), what it could not judge, each with the reason, and what it
    tells besides."""

    findings: tuple[Lint, ...] = ()
    judged: frozenset[str] = frozenset()
    unchecked: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def joined(judgements: Iterable[Judgement]) -> Judgement:
    """Several as one."""
    parts = list(judgements)
    return Judgement(
        tuple(finding for one in parts for finding in one.findings),
        frozenset().union(*(one.judged for one in parts)),
        tuple(why for one in parts for why in one.unchecked),
        tuple(text for one in parts for text in one.told),
    )
