"""Mutated answers, many of them: a failure that names the read or a plan, within five seconds; no token goes astray.

``python -m tests.chaos.fuzz_answers [--count 10000] [--workers 2] [--first 0]`` judges that many in process and
prints what went wrong; every mutant has a number, and ``--first N --count 1`` makes that one again.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kxrecon import planfile
from kxrecon.apply import Applier
from kxrecon.commands import _flow
from kxrecon.errors import KxreconError
from kxrecon.model import Change, Failure, Read
from kxrecon.observe import OUT_OF_REACH
from kxrecon.permissions import has, rights
from kxrecon.plan import Plan
from kxrecon.report import markdown, text
from tests.chaos.estate import specs as changing
from tests.chaos.fuzz import Batch, bounded, counted, long_form
from tests.chaos.replay import Played, Player, recording
from tests.chaos.wounds import wounded
from tests.ground import Ground, Simulated, example, ground
from tests.laws.test_laws import damage


class Listening:
    """A plane that remembers which reads failed, and how."""

    def __init__(self, plane: Any, failed: list[tuple[Read, Failure]]) -> None:
        self._plane, self._failed = plane, failed

    def read(self, read: Read) -> Any:
        """Ask on."""
        answer = self._plane.read(read)
        if isinstance(answer, Failure):
            self._failed.append((read, answer))
        return answer

    def write(self, request: Any) -> Any:
        """Send on."""
        return self._plane.write(request)

    def close(self) -> None:
        """Nothing."""


@dataclass
class Stage:
    """A verb on an estate, with everything that is answered to it, and what comes of it undisturbed."""

    name: str
    act: Callable[[Mapping[str, Any]], set[Any]]
    player: Player
    answers: list[tuple[int, Played]]
    planes: Mapping[str, Any]
    usual: set[Any] = field(default_factory=set)


def touched(plan: Plan) -> set[Any]:
    """What a plan would do."""
    return {(change.verb, change.ref) for action in plan.actions for change in action.changes}


def told(plan: Plan) -> None:
    """Every form in which a plan is shown."""
    for piece in (*text.plan(plan), *text.drift(plan)):
        assert piece is not None
    assert markdown.plan(plan)
    json.dumps(planfile.to_json(plan))


def planning(opened: Ground, spec: Any) -> Callable[[Mapping[str, Any]], set[Any]]:
    """``kxrecon plan``."""

    def act(planes: Mapping[str, Any]) -> set[Any]:
        plan = _flow.plan_over(opened.options(), spec, planes)[0]
        told(plan)
        return touched(plan)

    return act


def proving(spec: Any) -> Callable[[Mapping[str, Any]], set[Any]]:
    """``kxrecon verify``, ``status``, ``permissions --check`` and the blame of ``drift``."""

    def act(planes: Mapping[str, Any]) -> set[Any]:
        from kxrecon.report import chains as shown
        from kxrecon.report import status as state
        from kxrecon.verify import chains, survey
        from kxrecon.verify.blame import blame, journal
        from kxrecon.verify.status import Asked, status

        found = chains(survey(spec.scope, spec.desired, planes))
        assert list(shown.text(found)) is not None
        health = status(spec.scope, spec.desired, planes, asked=Asked(everything=True, artifacts=True))
        assert list(state.text(health)) is not None
        for right in rights(spec.desired, _flow.surroundings(spec)):
            assert has(right, planes)[0] in ("yes", "no", "unknown")
        journals = {journal(name): planes["kusto"].read(journal(name)) for name in spec.scope.databases}
        missing = [Change(ref, "create", None, entity) for ref, entity in spec.desired.entities.items()]
        assert list(blame(missing, journals, spec.scope, str)) is not None
        return set()

    return act


def taking(spec: Any) -> Callable[[Mapping[str, Any]], set[Any]]:
    """``kxrecon import``."""

    def act(planes: Mapping[str, Any]) -> set[Any]:
        from kxrecon.takeover.estate import take_over

        take_over(spec.scope, planes)
        return set()

    return act


def applying(opened: Ground, spec: Any, plan: Plan, scope: Any) -> Callable[[Mapping[str, Any]], set[Any]]:
    """The part of ``kxrecon apply`` that sends: a mutated answer may be a write's."""

    def act(planes: Mapping[str, Any]) -> set[Any]:
        applier = Applier(plan, planes, scope, spec.secrets, workers=1, pause=lambda _: None)  # type: ignore[arg-type]
        outcomes = applier.run()
        assert all(one.result == "done" or one.message for one in outcomes), outcomes
        if applier.defect is not None:
            raise applier.defect
        return {one.action for one in outcomes if one.result == "done"}

    return act


@contextmanager
def stages(folder: Path) -> Iterator[list[Stage]]:
    """What is played: plans of a converged and of a broken seed, proofs of it, an import, two applies."""
    found: list[Stage] = []
    with ExitStack() as stack:
        for name in ("seed", "change"):
            (folder / name).mkdir()
        seed = example("seed.yaml")
        opened = stack.enter_context(ground(folder / "seed", seed, time=Simulated()))
        plan, seen = _flow.plan_over(opened.options(), seed, opened.clients)
        found.append(_staged("apply seed", applying(opened, seed, plan, seen.scope), opened.clients))
        assert not opened.plan(seed).actions
        opened.tick(force=True)
        found.append(_staged("plan seed", planning(opened, seed), opened.readers))
        found.append(_staged("prove seed", proving(seed), opened.readers))
        found.append(_staged("import seed", taking(seed), opened.readers))
        damage(opened, 3)
        found.append(_staged("plan broken seed", planning(opened, seed), opened.readers))
        before, after = changing(folder / "change")
        other = stack.enter_context(ground(folder / "change", before, time=Simulated()))
        assert not other.converge(before).actions
        plan, seen = _flow.plan_over(other.options(), after, other.clients)
        found.append(_staged("apply change", applying(other, after, plan, seen.scope), other.clients))
        yield found


def _staged(name: str, act: Callable[[Mapping[str, Any]], set[Any]], planes: Mapping[str, Any]) -> Stage:
    with recording() as answers:
        act(planes)
    player = Player(answers)
    stage = Stage(name, act, player, player.numbered(), planes)
    with player.changed().playing():
        stage.usual = act(planes)
    return stage


class Wrong(AssertionError):
    """A verdict that the answer does not bear out."""


def judged(stage: Stage, order: random.Random) -> str:
    """What comes of a stage whose answers are wounded."""
    chosen = order.sample(stage.answers, order.choice((1, 1, 1, 2, 3)))
    wounds = [(number, *wounded(answer, order)) for number, answer in chosen]
    player = stage.player.changed(*((number, answer) for number, _, answer in wounds))
    failed: list[tuple[Read, Failure]] = []
    planes = {name: Listening(plane, failed) for name, plane in stage.planes.items()}
    what = "; ".join(f"{kind} at {' '.join(answer.key)[:150]}" for _, kind, answer in wounds)
    try:
        with player.playing():
            done = stage.act(planes)
    except KxreconError as error:
        assert str(error)
        return "refused"
    except Exception as error:
        raise type(error)(f"{error} [{stage.name}: {what}]") from error
    if player.leaks:
        raise Wrong(f"{player.leaks} [{stage.name}: {what}]")
    nameless = [one for one in failed if one[1].code not in OUT_OF_REACH and name_of(one[0]) not in one[1].message]
    if nameless:
        raise Wrong(f"a failure that does not name its read: {nameless[0]} [{stage.name}: {what}]")
    if not done <= stage.usual and all(kind.startswith("broken") or kind == "columns" for _, kind, _ in wounds):
        raise Wrong(f"{done - stage.usual} follows [{stage.name}: {what}]")
    return "failed reads" if failed else "as usual" if done == stage.usual else "other"


def name_of(read: Read) -> str:
    """What of a read every failure has to tell; of a query of our own only who asks it knows what it is for."""
    if read.plane == "kusto" and not read.text.startswith("."):
        return ""
    words = read.target if read.plane == "sql" else read.text
    return words.split("\n")[0][:40]


def batch(numbers: range) -> Batch:
    """Judge some mutants."""
    with tempfile.TemporaryDirectory() as name, stages(Path(name)) as acts:

        def judge(number: int) -> str:
            stage, order = acts[number % len(acts)], random.Random(number)
            return bounded(lambda: judged(stage, order), frames=8)

        return counted(numbers, judge, right=lambda verdict: not verdict.startswith(("accident", "hang")))


def main(argv: list[str]) -> int:
    """The long form."""
    return long_form(argv, "answers", batch, count=10_000, at_once=100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
