"""What the ledger says of a field: equal where the two states alone cannot tell, or changed, and why.

Equal is only said where the spec's value is the one that was written, the service shows what it showed right after
that, and no journal knows of anybody who wrote since. A ledger that cannot prove that leaves the verdict as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kxrecon.diff import Judged, Verdict
from kxrecon.kinds import kind
from kxrecon.ledger.rows import TRIED, Entry
from kxrecon.ledger.seal import KEY, PLAIN, Seal
from kxrecon.model import Hidden, Ref, Value

Find = Callable[[Ref], Entry | None]
Foreign = Callable[[Ref, Entry], str]


def nobody(ref: Ref, entry: Entry) -> str:
    """No journal was read."""
    return ""


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides by what one spec wrote. ``entry`` finds it, ``foreign`` tells who wrote the entity since (empty: as far
    as is known nobody)."""

    entry: Find
    seal: Seal
    foreign: Foreign = nobody

    def __call__(self, ref: Ref, name: str, desired: Value, observed: Value, verdict: Verdict) -> Judged:
        """The verdict on one field; ``verdict`` is what comparing gave."""
        entry = self.entry(ref)
        if entry is None or not entry.stands:
            return Judged(verdict)
        if verdict == "changed":
            return self._reformatted(entry, ref, name, desired, observed)
        if entry.event == TRIED:
            return Judged("changed", f"the apply of {day(entry)} was about to write it, and nobody saw how that ended")
        return self._hidden(entry, ref, name, desired, observed)

    def _reformatted(self, entry: Entry, ref: Ref, name: str, desired: Value, observed: Value) -> Judged:
        """A text that we did not change and that shows as it did right after we wrote it: the service's own form."""
        seal = self._reads(entry)
        if name not in getattr(kind(ref.kind), "REFORMATTED", ()) or seal is None:
            return Judged("changed")
        if entry.shown.get(name) != seal.shown(ref, name, observed):
            return Judged("changed")
        if name in entry.written and entry.written[name] == seal.written(ref, name, desired):
            return Judged("equal")
        if name in entry.blank and entry.blank[name] == seal.blank(ref, name, desired):
            return Judged("unverifiable", f"its hidden literals need {KEY}")
        return Judged("changed")

    def _hidden(self, entry: Entry, ref: Ref, name: str, desired: Value, observed: Value) -> Judged:
        seal = self._reads(entry)
        foreign = self.foreign(ref, entry) if entry.sound else ""
        written_since = Judged("changed", f"written on {day(entry)}, and since then {foreign}")
        if seal is None:
            return written_since if foreign else Judged("unverifiable", _why_not(entry))
        if self._shows(seal, entry, ref, name, observed) is False:
            # All hidden that once was shown: a right was lost, which says nothing about the value.
            lost = isinstance(observed, Hidden) and not observed.shown
            if lost:
                return Judged("unverifiable", f"less of it is shown than after it was written on {day(entry)}")
            return Judged("changed", f"it is shown otherwise than after it was written on {day(entry)}")
        now = seal.written(ref, name, desired)
        if name in entry.written and now is not None and now != entry.written[name]:
            return Judged("changed", f"the spec has another value than was written on {day(entry)}")
        if foreign:
            return written_since
        if name not in entry.written:
            return Judged("unverifiable", f"the ledger holds nothing of a secret without {KEY}" if now is None else "")
        if now is None:
            return Judged("unverifiable", "the secret has no value here")
        return Judged("unverifiable", "nobody saw how it was shown") if entry.blind else Judged("equal")

    def _shows(self, seal: Seal, entry: Entry, ref: Ref, name: str, observed: Value) -> bool | None:
        """Whether the service shows what it showed after the write; None if nobody looked then."""
        if name in entry.shown:
            return entry.shown[name] == seal.shown(ref, name, observed)
        # What is not among these was shown as it was written, and so in full, which it is not now.
        return None if entry.blind or name not in entry.written else False

    def _reads(self, entry: Entry) -> Seal | None:
        """The seal under which an entry proves something."""
        return self.seal.behind(entry.seal) if entry.sound else None


def _why_not(entry: Entry) -> str:
    if not entry.sound:
        return "a line of the ledger after the one about it cannot be read"
    return "its entry in the ledger is under another key" if entry.seal != PLAIN else ""


def day(entry: Entry) -> str:
    """When an entry was made, for people."""
    return entry.at[:16].replace("T", " ") + "Z"
