"""Progress of an apply, a line per action as it ends; long-running ones also as they begin."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kxrecon.commands._terminal import show
from kxrecon.report import text
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.apply import Event
    from kxrecon.journal import Journal
    from kxrecon.model import Action
    from kxrecon.plan import Plan


class Progress:
    """Prints events. A reader who went away does not stop the apply: what was begun has to be finished.

    ``broken``: the journal could not be written any more, which did stop it.
    """

    def __init__(self, options: argparse.Namespace, plan: Plan, journal: Journal, *, quiet: bool) -> None:
        self._journal = journal
        self._options = options
        self._numbers = {action.id: number for number, action in enumerate(plan.actions, 1)}
        self._quiet = quiet
        self.broken = False

    def event(self, event: Event) -> None:
        """Put one event of the apply on disk, then show it."""
        try:
            self._journal.note(event)
        except OSError:
            self.broken = True
            raise
        if self._quiet:
            return
        number, total = self._numbers[event.action.id], len(self._numbers)
        try:
            if event.outcome is not None and event.outcome.result == "waiting":
                return  # told together at the end
            if event.outcome is not None:
                show(self._options, text.outcome(event.outcome, event.action, number, total))
            elif event.what == "began" and self._is_long(event.action):
                show(self._options, text.began(event.action, number, total))
        except BrokenPipeError:
            self._quiet = True

    @staticmethod
    def _is_long(action: Action) -> bool:
        """Whether an action may take minutes."""
        return bool(action.until) or any(request.plane == "arm" for request in action.requests)

    def told(self, news: str) -> None:
        """Show what a wait sees meanwhile."""
        if self._quiet:
            return
        try:
            show(self._options, [line(news, "dim", indent=8)])
        except BrokenPipeError:
            self._quiet = True
