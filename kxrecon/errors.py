"""Every error that kxrecon raises on purpose.

KxreconError                 something a person can mend; shown without a traceback, exit code 1
├── SpecError                the spec is wrong: carries all problems, each with its place
│   └── UnreadableImport     a spec that import wrote is: carries its texts, to be looked at
├── UsageError               the command line is wrong
├── PlanError                no plan can be made, or a saved plan may not be applied
├── ApplyError               an apply ended with failures; the outcomes say what was done and what not
│   └── LeftForLater         an action that a later apply has to do: nothing is wrong
├── LedgerError              the ledger cannot be read or written
├── FileError                a file that somebody named, or of our own, cannot be read or written
└── PlaneError               a service refused or could not be reached
    ├── Throttled            asked to slow down; always worth another try
    └── Unanswered           the answer was lost: the write may have happened, read before repeating

Anything else that escapes is a defect of kxrecon: exit code 3 and a log file with the traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MALFORMED = (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError, RecursionError)
"""What code raises, an SDK's too, that meets an answer of another form than the documented one."""


class KxreconError(Exception):
    """Base of all errors that a person can mend. ``str()`` is the whole message shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; ``line`` and ``column`` count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a spec.

    ``path`` leads to the value inside the merged spec (mapping keys and list indices); ``place`` is
    filled in by the loader, which alone knows the files. ``severity`` is ``error``, ``warning`` or ``note``.
    """

    message: str
    path: tuple[str | int, ...] = ()
    place: Place | None = None
    entity: str | None = None
    remedy: str | None = None
    severity: str = "error"

    def __str__(self) -> str:
        at = f"{self.place}: " if self.place else ""
        of = f"{self.entity}: " if self.entity else ""
        mend = f" ({self.remedy})" if self.remedy else ""
        return f"{at}{self.severity}: {of}{self.message}{mend}"


class SpecError(KxreconError):
    """The spec cannot be used; ``problems`` holds all that was found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnreadableImport(SpecError):
    """A spec that import wrote cannot be read; ``texts`` are its files, by the names that the problems' places have."""

    def __init__(self, problems: Sequence[Problem], texts: Mapping[str, str]) -> None:
        self.texts = texts
        super().__init__(problems)


class UsageError(KxreconError):
    """The command line asks for something that does not exist or does not go together."""


class PlanError(KxreconError):
    """A plan cannot be made from what was read, or a saved one may not be applied."""


class ApplyError(KxreconError):
    """An apply finished with at least one failed action."""


class LeftForLater(ApplyError):
    """An action is left for a later apply on purpose: it waits for runs, or it is for somebody else's lane."""


class LedgerError(KxreconError):
    """A ledger cannot be read or written; the message names it."""


class FileError(KxreconError):
    """A file or folder cannot be read or written; the message names it and says what to do."""


class PlaneError(KxreconError):
    """A service refused a request.

    ``code`` is the service's own code (``RoleAssignmentExists``, ``General_BadRequest``), ``status`` the
    HTTP status where there was one, ``permanent`` whether repeating can not help, ``request_id`` what
    the service's support asks for, ``retry_after`` the seconds that the service asked us to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        permanent: bool = True,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.permanent = permanent
        self.request_id = request_id
        self.retry_after = retry_after


class Throttled(PlaneError):
    """The service asked us to slow down (HTTP 429 or a Kusto throttling error); never permanent."""


class Unanswered(PlaneError):
    """The connection broke or timed out after sending: a write may or may not have happened."""
