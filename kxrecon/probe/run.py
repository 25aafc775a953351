"""Asking the probes: bare looks first, then furniture, then one after the other; and everything away again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kxrecon.model import Table
from kxrecon.probe import stock
from kxrecon.probe.catalog import PROBES
from kxrecon.probe.clear import clear
from kxrecon.probe.commands import EVENTS, PREFIX, USAGES, subject
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.furniture import CURSOR, cursor, furniture
from kxrecon.probe.model import CannotTell, Given, Gone, Probe, Scene, Verdict
from kxrecon.probed import Found, Left, Seen

POLL = 15.0
"""Seconds between two looks at whether exports have run."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long exports get for their first run, in seconds, how to pause, and who is told what goes on."""

    wait: float = 300.0
    pause: Callable[[float], None] = lambda _: None
    tell: Callable[[str], None] = lambda _: None


INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Run:
    """What has come of a run; ``stopped`` says why it did not come to its end, and ``INTERRUPTED`` is one reason."""

    found: list[Found] = field(default_factory=list)
    left: tuple[Left, ...] = ()
    stopped: str = ""


# ---- what would be written
def intent(given: Given) -> Mapping[str, tuple[str, ...]]:
    """Everything that probes with these options make or change: kind → names, without our prefix."""
    texts = [piece.text for piece in furniture(given, "")]
    for probe in PROBES:
        if not probe.lacks(given):
            texts += [text for text in (*probe.first(given), *probe.asks(given)) if isinstance(text, str)]
    found: dict[str, dict[str, None]] = {}
    for text in texts:
        about = subject(text, given.database)
        if about is not None:
            found.setdefault(about.kind, {})[about.name.removeprefix(PREFIX)] = None
    named = {kind: tuple(names) for kind, names in found.items() if kind not in ("policy managed_identity", "monitors")}
    allowed = {"managed_identity policy": (f"{USAGES} for {' and '.join(given.identities)}",)}
    return {
        **named,
        **(allowed if "policy managed_identity" in found else {}),
        **({"monitors": (given.principal,)} if "monitors" in found else {}),
        **({"role assignment": (f"Reader at {given.role_at}",)} if given.role_at and given.object_id else {}),
    }


# ---- the runs
def look_only(talk: Conversation, given: Given) -> Run:
    """The probes that can be answered without a write, by whatever is in the database. Raises CannotTell if it
    cannot be seen at all: every refusal would be taken for an answer."""
    talk.look("exports")
    run = Run()
    _gather(talk, run, _ask_all(talk, given, [probe for probe in PROBES if probe.when != "own"], None))
    return _completed(run, lambda probe: "it takes writes" if probe.when == "own" else "")


def experiment(talk: Conversation, given: Given, pace: Pace) -> Run:
    """All probes, over furniture that is made for them. Whatever happens, what was made is taken away."""
    run = Run()
    able = [probe for probe in PROBES if not probe.lacks(given)]
    bare = [probe for probe in able if probe.when == "bare"]
    try:
        _gather(talk, run, _ask_all(talk, given, bare, None))
        if not run.stopped:
            _gather(talk, run, _furnished(talk, given, [one for one in able if one not in bare], pace))
    finally:
        run.left = clear(talk, given.database, pace.tell)
        for one in run.left:  # said here too: a defect would end the run before there is a report
            pace.tell(f"left behind: {one.what}: {one.why}")
    lacking = {probe.id: probe.lacks(given) for probe in PROBES}
    return _completed(run, lambda probe: f"needs {' and '.join(lacking[probe.id])}" if lacking[probe.id] else "")


def _furnished(talk: Conversation, given: Given, probes: Sequence[Probe], pace: Pace) -> Iterator[Found]:
    unmade = _furnish(talk, given, pace)
    _await_runs(talk, given, pace)
    pace.tell(f"asking {len(probes)} questions")
    yield from _ask_all(talk, given, probes, unmade)


def _gather(talk: Conversation, run: Run, found: Iterable[Found]) -> None:
    """Gather what is found, until somebody interrupts, the cluster is gone or nothing can be made."""
    try:
        for one in found:
            run.found.append(one)
    except KeyboardInterrupt:
        run.stopped = INTERRUPTED
    except CannotTell as error:
        run.stopped = talk.plain(str(error))
    talk.taken()


def _completed(run: Run, why: Callable[[Probe], str]) -> Run:
    """Every probe in its order; those that were not asked with the reason, which may be that the run stopped."""
    asked = {one.id: one for one in run.found}
    run.found = [asked.get(probe.id) or _unasked(probe, why(probe) or run.stopped) for probe in PROBES]
    return run


# ---- furniture
def _furnish(talk: Conversation, given: Given, pace: Pace) -> Mapping[str, str]:
    """Make every piece; those that were refused, with the reason. Raises CannotTell if the first one was, for it
    says what is to be undone, and Gone."""
    unmade: dict[str, str] = {}
    pace.tell("furnishing the database")
    for piece in furniture(given, stock.note(given, datetime.now(UTC).isoformat(timespec="seconds"))):
        try:
            refusal = talk.say(piece.text).refusal
        except Gone:
            raise
        except CannotTell as error:
            refusal = str(error)  # the answer may be lost and the piece be there: it is taken away all the same
        if refusal and piece.name == EVENTS:
            raise CannotTell(f"nothing could be made: {refusal}")
        if refusal:
            unmade[piece.name] = refusal
    talk.taken()  # no evidence of anything yet
    return unmade


def _await_runs(talk: Conversation, given: Given, pace: Pace) -> None:
    """Wait until the exports whose cursors are tried have run once, as long as they get for it."""
    names = {cursor(change) for change in CURSOR} if given.storage and given.identities else set()
    waited = 0.0
    while names and waited < pace.wait:
        if not waited:
            pace.tell(f"waiting up to {pace.wait:.0f} s for the first run of {len(names)} exports")
        try:
            talk.forget()
            rows = talk.look("exports").records()
        except CannotTell:
            return
        if all(row["LastRunTime"] for row in rows if row["Name"] in names):
            return
        pace.pause(POLL)
        waited += POLL


# ---- asking
def _ask_all(
    talk: Conversation, given: Given, probes: Sequence[Probe], unmade: Mapping[str, str] | None
) -> Iterator[Found]:
    """Ask one after the other. Raises Gone."""
    for probe in probes:
        try:
            answer, shown = _asked(talk, given, probe, unmade)
        except Gone:
            raise
        except CannotTell as error:
            yield _open(probe, talk.plain(str(error)), talk.taken())
            continue
        if shown is not None:
            talk.show(probe.looks, shown)
        yield _told(probe, talk.plain(answer), talk.taken())


def _asked(talk: Conversation, given: Given, probe: Probe, unmade: Mapping[str, str] | None) -> Verdict:
    """Raises CannotTell."""
    before = {name: talk.look(name) for name in probe.looks}
    for text in probe.first(given):
        told = talk.say(text)
        if told.refusal:
            raise CannotTell(told.refusal)
    told_all = [talk.say(text) for text in probe.asks(given)]
    after = {name: talk.look(name) for name in probe.looks}
    try:
        return probe.judge(Scene(given, told_all, before, after, unmade))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CannotTell(f"the answer has an unknown form ({type(error).__name__}: {error})") from error


def _told(probe: Probe, answer: str, seen: tuple[Seen, ...]) -> Found:
    return Found(
        probe.id,
        probe.fact,
        probe.question,
        probe.kxrecon,
        "told",
        answer=answer,
        meaning=probe.answers.get(answer, ""),
        counts_on=probe.counts_on,
        seen=seen,
    )


def _open(probe: Probe, why: str, seen: tuple[Seen, ...]) -> Found:
    return Found(
        probe.id, probe.fact, probe.question, probe.kxrecon, "open", why=why, counts_on=probe.counts_on, seen=seen
    )


def _unasked(probe: Probe, why: str) -> Found:
    return Found(probe.id, probe.fact, probe.question, probe.kxrecon, "not-asked", why=why, counts_on=probe.counts_on)


def service(talk: Conversation) -> Mapping[str, str]:
    """What the cluster says of itself; empty if it says nothing."""
    try:
        table: Table = talk.look("version")
    except CannotTell:
        return {}
    return {key: str(value) for row in table.records()[:1] for key, value in row.items()}
