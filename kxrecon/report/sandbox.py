"""What the exports of a sandbox did in a tick, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from kxrecon.report.lines import Line, line


class Ran(Protocol):
    """One run of one export, as the sandbox tells it."""

    @property
    def database(self) -> str:
        """The export's database."""

    @property
    def export(self) -> str:
        """Its name."""

    @property
    def succeeded(self) -> bool:
        """Whether it wrote what there was."""

    @property
    def records(self) -> int:
        """How many records it wrote."""

    @property
    def files(self) -> Sequence[str]:
        """The files that it wrote."""

    @property
    def disabled(self) -> bool:
        """Whether the service gave up on it after this run."""

    @property
    def link(self) -> str:
        """The broken link; "" if it succeeded."""

    @property
    def details(self) -> str:
        """What the service would say."""


def runs(found: Sequence[Ran]) -> Iterator[Line]:
    """Every run; a failure with its broken link and the reason."""
    if not found:
        yield line("no export was due.")
    for one in found:
        name = f"{one.database}/{one.export}"
        if one.succeeded:
            yield line(f"{name}: {_count(one.records, 'record')} in {_count(len(one.files), 'file')}", "add")
            for file in one.files:
                yield line(file, indent=4)
        else:
            gave_up = "; the service disabled it" if one.disabled else ""
            yield line(f"{name}: failed at {one.link}: {one.details}{gave_up}", "remove")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
