"""Taking everything of ours away again, whatever happened before: look what is there, drop it, look again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from kxrecon.model import Request
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.model import CannotTell
from kxrecon.probe.stock import removals, take
from kxrecon.probed import Left

ROUNDS = 3
"""What an interrupt or a lost answer kept from being taken away is tried again."""
_ALL = "what the probe made"


def clear(talk: Conversation, database: str, tell: Callable[[str], None] = lambda _: None) -> tuple[Left, ...]:
    """What could not be taken away; () once a look shows nothing of ours.

    An interrupt costs the step that it meets, and the rest goes on.
    """
    left: tuple[Left, ...] = ()
    for number in range(ROUNDS):
        try:
            steps = removals(take(talk), database)
            if not steps:
                return ()
            tell(f"taking {len(steps)} things away{' once more' if number else ''}")
            left = tuple(_removed(talk, steps))
        except CannotTell as error:
            return (Left(_ALL, f"it cannot be listed: {error}", ""),)
        except KeyboardInterrupt:
            left = (Left(_ALL, "interrupted", ""),)
    return left or (Left(_ALL, "it was dropped and is still listed", ""),)


def _removed(talk: Conversation, steps: Sequence[tuple[str, Request]]) -> Iterator[Left]:
    """What stays. The last step, the table with the note, waits until the note is of no more use."""
    stayed = False
    for number, (what, request) in enumerate(steps, 1):
        if stayed and number == len(steps):
            yield Left(what, "it says what else is to be taken away", _by_hand(request))
            return
        why = _refused(talk, request)
        stayed = stayed or bool(why)
        if why:
            yield Left(what, why, _by_hand(request))


def _refused(talk: Conversation, request: Request) -> str:
    """ "" if it is gone, else why not."""
    try:
        return talk.say(request).refusal
    except CannotTell as error:
        return str(error)
    except KeyboardInterrupt:
        return "interrupted while it was taken away"


def _by_hand(request: Request) -> str:
    """What a person would send."""
    text = "".join(map(str, request.text))
    return f"{text} {json.dumps(dict(request.body))}" if request.body else text
