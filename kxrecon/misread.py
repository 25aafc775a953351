"""Answers that no kind can understand: each becomes a failure of the read that got it, and nothing else is lost.

Kinds trust the documented form of an answer and raise where it has another; which of the answers is at fault is
found by leaving some out. What is left out is a gap, like any read that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kxrecon.errors import MALFORMED
from kxrecon.kinds import kind
from kxrecon.model import Answer, Answers, Entity, Failure, Gap, Read, Reading
from kxrecon.scope import Scope

T = TypeVar("T")


def understood(name: str, answers: Answers, scope: Scope) -> list[Entity | Reading | Gap]:
    """What a kind sees in the answers. Raises one of MALFORMED for an answer that is not of its form."""
    found = list(kind(name).observe(answers, scope))
    for one in found:
        if not isinstance(one, Gap) and not all(type(part) is str for part in one.ref.name):
            raise TypeError(f"a name of {name} is no text: {one.ref.name!r}"[:200])
    return found


def careful(act: Callable[[], T], names: Iterable[str], known: dict[Read, Answer], scope: Scope) -> T:
    """``act``, which looks at ``known``; if that fails, once more without the answers that the kinds trip over."""
    try:
        return act()
    except MALFORMED:
        for name in names:
            _leave_out(name, known, scope)
        return act()


def _leave_out(name: str, known: dict[Read, Answer], scope: Scope) -> None:
    """Replace the answers that this kind cannot understand. Raises what it raises if it is no answer's fault."""
    error = _trips(name, known, scope)
    if error is None:
        return
    doubtful = [read for read, answer in known.items() if not isinstance(answer, Failure)]
    trial: dict[Read, Answer] = {**known, **{read: _failure(read, error) for read in doubtful}}
    if _trips(name, trial, scope) is not None:
        raise error
    _put_back(name, doubtful, known, trial, scope)
    known.update(trial)


def _put_back(
    name: str, reads: list[Read], known: Mapping[Read, Answer], trial: dict[Read, Answer], scope: Scope
) -> None:
    """Put back all of these answers, or halves of them, as long as the kind understands them."""
    left_out = {read: trial[read] for read in reads}
    trial.update({read: known[read] for read in reads})
    error = _trips(name, trial, scope)
    if error is None:
        return
    trial.update(left_out)
    if len(reads) == 1:
        trial[reads[0]] = _failure(reads[0], error)
        return
    middle = len(reads) // 2
    _put_back(name, reads[:middle], known, trial, scope)
    _put_back(name, reads[middle:], known, trial, scope)


def _trips(name: str, answers: Answers, scope: Scope) -> Exception | None:
    try:
        list(kind(name).reads(scope, answers))
        understood(name, answers, scope)
    except MALFORMED as error:
        return error
    return None


def _failure(read: Read, error: Exception) -> Failure:
    why = f"it has no {error}" if isinstance(error, KeyError) else f"{error}"
    return Failure("failed", f"{named(read)}: the answer cannot be understood: {why}"[:400], "MalformedAnswer")


def named(read: Read) -> str:
    """A read for messages: its command, operation or statement, and what it asks about."""
    text = " ".join(read.text.split())
    short = text if len(text) <= 80 else f"{text[:79]}…"
    if read.plane == "sql":
        return f"{read.target} {short}"
    return " ".join([short, *(value for _, value in read.arguments[:1])])
