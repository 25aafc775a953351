"""The end of an apply: what was done and what not, whether it held, and where exports stand; in each form of output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _onward
from kxrecon.commands._exit import DONE, FAILED, INTERRUPTED, PENDING
from kxrecon.commands._terminal import show, write
from kxrecon.lanes import FOR_LANE
from kxrecon.report import text
from kxrecon.report.lines import Line, line, wrapped

if TYPE_CHECKING:
    from kxrecon.commands._healthy import Gated
    from kxrecon.cursors import Move
    from kxrecon.model import Finding, Outcome
    from kxrecon.plan import Plan


@dataclass(frozen=True, slots=True)
class Ending:
    """How an apply ended. ``after`` is what is left to do; None if nobody could look again, why is in ``blind``.
    ``ledger`` is what the ledger could not be told."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    after: Plan | None
    moves: tuple[Move, ...] = ()
    interrupted: bool = False
    blind: str = ""
    ledger: str = ""
    health: Gated | None = None  # what the health gate saw, where one was asked for

    @property
    def code(self) -> int:
        """The exit code: an export that moved without reason, or of which something is not known to have been done, is
        a failure, however well the rest went."""
        if self.interrupted:
            return INTERRUPTED
        lost = self.lost or self.paused
        untold = bool(self.ledger and self.outcomes)
        failed = lost or untold or self.unseen or self.ailing or any(_failed(one) for one in self.outcomes)
        if failed or self.after is None or (self.after.actions and not self.left_for_later):
            return FAILED
        return PENDING if self.after.actions or self.after.blocked else DONE

    @property
    def ailing(self) -> str:
        """The exports that the health gate complains of."""
        return ", ".join(one.export for one in self.health.left) if self.health else ""

    @property
    def left_for_later(self) -> bool:
        """What is left to do is no more than what was left for a later apply on purpose."""
        by_id = {action.id: action for action in self.plan.actions}
        waiting = {ref for one in self.outcomes if one.result == "waiting" for ref in by_id[one.action].refs}
        left = self.after.actions if self.after else ()
        return bool(waiting) and all(ref in waiting for action in left if not action.until for ref in action.refs)

    @property
    def later(self) -> bool:
        """All went well, and the rest was left for a later apply on purpose."""
        left = bool(self.after and self.after.actions) and self.left_for_later
        return left and not any(_failed(one) for one in self.outcomes)

    @property
    def converged(self) -> bool:
        """A fresh read shows what the spec says, as far as it is ours and can be seen."""
        whole = self.after is not None and not self.after.actions and not self.unseen
        return whole and not self.interrupted and not any(_failed(one) for one in self.outcomes)

    @property
    def _lanes(self) -> str:
        """In which other lanes something has to be done first."""
        told = {one.message.partition(FOR_LANE)[2] for one in self.outcomes if one.result == "waiting"} - {""}
        return f", first in lane {', '.join(sorted(told))}" if told else ""

    @property
    def unseen(self) -> bool:
        """Nothing at all could be read: that is not a cluster that is what the spec says."""
        after = self.after
        if after is None or after.actions or after.unchanged:
            return False
        return any(finding.kind == "unknown" for finding in after.findings)

    @property
    def open(self) -> tuple[Finding, ...]:
        """What earlier applies left open, beside exports that moved."""
        found = self.after.findings if self.after else ()
        return tuple(one for one in found if one.kind == "moved" and one not in self.told)

    @property
    def told(self) -> frozenset[Finding]:
        """What a plan says of the exports that moved."""
        from kxrecon.commands._flow import of_move

        return frozenset(_onward.told(tuple(map(of_move, self.moves)), self.after or self.plan))

    @property
    def lost(self) -> int:
        """How many exports may have lost their place, or records."""
        return len({one.ref for one in self.open} | {move.ref for move in self.moves if not move.expected})

    @property
    def drifted(self) -> bool:
        """What is left is shown as drift, with all that a plan of it finds."""
        return self.after is not None and not self.later and bool(self.after.actions or self.after.blocked)

    @property
    def alone(self) -> tuple[Finding, ...]:
        """What has to be said although nothing is left to do."""
        if self.after is None or self.drifted:
            return ()
        return (*self.open, *(one for one in self.after.findings if one.kind == "paused"))

    @property
    def paused(self) -> int:
        """How many exports stand still, perhaps since an apply that did not end."""
        return sum(one.kind == "paused" for one in self.after.findings) if self.after else 0

    @property
    def result(self) -> str:
        """The ending in a word or two, for the history."""
        if self.interrupted:
            return "interrupted"
        if any(_failed(one) for one in self.outcomes):
            return "failed"
        if self.after is None:
            return "not looked at again"
        if self.lost:
            return "exports moved"
        if self.after.actions or self.paused:
            return "not converged"
        return "not complete" if self.after.blocked else "converged"

    @property
    def verdict(self) -> str:
        """The last line, in a sentence."""
        return self._verdict + (f" Not healthy: {self.ailing}." if self.ailing else "")

    @property
    def _verdict(self) -> str:
        go_on = f"to go on: {_onward.again('plan', self.plan)}"
        if self.after is None:
            return f"the cluster could not be looked at again ({self.blind}); {go_on}."
        if self.lost:
            moved = "1 export" if self.lost == 1 else f"{self.lost} exports"
            return f"{moved} moved, or may lack records: see above before going on."
        if self.later:
            waiting = sum(one.result == "waiting" for one in self.outcomes)
            left = "1 action is" if waiting == 1 else f"{waiting} actions are"
            return f"done so far: {left} left for a later apply{self._lanes}."
        if self.after.actions:
            return f"not converged: {len(self.after.actions)} actions are left; {go_on}."
        if self.paused:
            stand = "1 export stands" if self.paused == 1 else f"{self.paused} exports stand"
            return f"not converged: {stand} still, perhaps since an apply that did not end: see above; then {go_on}."
        if self.unseen:
            return f"nothing could be read, so nothing was done; {go_on}."
        if self.after.blocked:
            return f"done, but not complete: the rest is for others, see above; then {go_on}."
        if not self.outcomes:
            return "nothing to do: the cluster is what the spec says."
        return "converged: the cluster is what the spec says."


def _as_move(finding: Finding) -> Move:
    from kxrecon.cursors import Move

    assert finding.ref is not None
    return Move(finding.ref, finding.message, finding.remedy, expected=False)


def _failed(outcome: Outcome) -> bool:
    return outcome.result in ("failed", "skipped")


def tell(options: argparse.Namespace, ending: Ending) -> None:
    """Print the ending in the form that the options ask for."""
    ending = whole(ending)
    if options.json:
        write(json.dumps(record(ending), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        write(as_markdown(ending))
    else:
        show(options, _lines(ending))


def whole(ending: Ending) -> Ending:
    """The ending with whole command lines in what it says of its outcomes."""
    told = [replace(one, message=_onward.filled(one.message, ending.plan)) for one in ending.outcomes]
    return replace(ending, outcomes=tuple(told))


def as_markdown(ending: Ending, about: str = "", limit: int = 0) -> str:
    """The ending as a comment; ``about`` names one spec of several."""
    from kxrecon.report import markdown

    told = "".join(f" Wrong: {one.ref.label if one.ref else ''}: {one.message}." for one in wrong(ending.plan))
    told += "".join(f" {_sentence(move)}" for move in ending.moves)
    told += "".join(f" {one.ref}: {one.message}. {one.remedy}" for one in ending.alone)
    told += f" The ledger: {ending.ledger}." if ending.ledger else ""
    verdict = ending.verdict + told
    done = markdown.outcomes(ending.plan, ending.outcomes, verdict, about=about, limit=limit or markdown.LIMIT)
    return done + (ending.health.markdown() if ending.health else "")


def room(number: int) -> int:
    """How long each of several endings may be in one comment."""
    from kxrecon.report import markdown

    return markdown.LIMIT // max(number, 1)


def _lines(ending: Ending) -> list[Line]:
    lines: list[Line] = []
    if ending.outcomes:
        lines += text.outcomes(ending.outcomes, ending.plan.actions)
    if ending.drifted and ending.after is not None:
        said = ending.told
        lines += text.drift(
            replace(ending.after, findings=tuple(one for one in ending.after.findings if one not in said))
        )
    for one in ending.alone:
        lines.append(line(f"{one.kind.upper()}: {one.ref}: {one.message}", "warn"))
        lines += wrapped(one.remedy, indent=4)
    for move in ending.moves:
        lines.append(line(f"{'note' if move.expected else 'MOVED'}: {move.ref}: {move.message}", "warn"))
        lines += wrapped(f"repair: {move.repair}", indent=4)
        if not move.expected:
            how = _onward.filled(f"then kxrecon apply SPEC --settled {move.ref.label} says so", ending.plan)
            lines += wrapped(how, indent=4)
    if ending.ledger:
        lines += wrapped(f"LEDGER: {ending.ledger}", "warn")
    lines.append(line(ending.verdict, "bold"))
    return lines


def _sentence(move: Move) -> str:
    return f"{move.ref}: {move.message}. Repair: {move.repair}"


def record(ending: Ending) -> dict[str, Any]:
    """The ending for programs."""
    from kxrecon.planfile import to_json

    after = ending.after
    named = {action.id: [str(ref) for ref in action.refs] for action in ending.plan.actions}
    return {
        "digest": ending.plan.digest,
        "outcomes": [{**asdict(outcome), "entities": named[outcome.action]} for outcome in ending.outcomes],
        "converged": ending.code == DONE,
        "interrupted": ending.interrupted,
        "verdict": ending.verdict,
        "ledger": ending.ledger or None,
        "wrong": [
            {"entity": one.ref.label if one.ref else None, "message": one.message, "remedy": one.remedy}
            for one in wrong(ending.plan)
        ],
        "moved": [
            {"export": move.ref.label, "message": move.message, "repair": move.repair, "expected": move.expected}
            for move in (*ending.moves, *map(_as_move, ending.open))
        ],
        "health": ending.health.record() if ending.health else None,
        "left": None if after is None else to_json(after),
    }


def wrong(plan: Plan) -> list[Finding]:
    """What the plan knows the service to refuse, or every run to fail of."""
    return [finding for finding in plan.findings if finding.kind == "wrong"]


def worst(outcomes: Sequence[Outcome]) -> str:
    """What the journal says of a run that came to its end."""
    return "done" if all(outcome.result == "done" for outcome in outcomes) else "failed"
