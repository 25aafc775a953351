"""DB-API's exceptions, with SQL Server's numbers and words (learn.microsoft.com, Database Engine errors)."""

from __future__ import annotations


class Error(Exception):
    """Root of the DB-API exceptions. ``number`` is SQL Server's error number, 0 if there is none."""

    def __init__(self, message: str, number: int = 0) -> None:
        suffix = f" ({number})" if number else ""
        super().__init__(f"[Microsoft][SQL Server]{message}{suffix}")
        self.number = number


class InterfaceError(Error):
    """The connection or cursor is used wrongly."""


class DatabaseError(Error):
    """The server refused."""


class OperationalError(DatabaseError):
    """The server or database cannot be reached or opened."""


class ProgrammingError(DatabaseError):
    """The statement is wrong, or names what is not there."""


class IntegrityError(DatabaseError):
    """A key or name is taken."""


class NotSupportedError(DatabaseError):
    """SQL Server would do it; the sandbox says so instead of guessing."""


def syntax(near: str) -> ProgrammingError:
    """102."""
    return ProgrammingError(f"Incorrect syntax near '{near}'.", 102)


def cannot_find(what: str, name: str) -> ProgrammingError:
    """15151: the same words for missing and for hidden."""
    return ProgrammingError(
        f"Cannot find the {what} '{name}', because it does not exist or you do not have permission.", 15151
    )


def no_permission() -> ProgrammingError:
    """15247."""
    return ProgrammingError("User does not have permission to perform this action.", 15247)


def not_imitated(what: str) -> NotSupportedError:
    """The sandbox's own refusal."""
    return NotSupportedError(f"The sandbox does not imitate: {what}")
