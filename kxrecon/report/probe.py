"""What a cluster answered to the probes: text for people, Markdown to send on, JSON to compare clusters by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from textwrap import wrap

from kxrecon.probed import Found, Left, Probed, Unprobed
from kxrecon.report.lines import Line, Style, line
from kxrecon.report.safe import block, code, markdown, visible

_GLYPHS: Mapping[str, tuple[str, Style]] = {"told": ("✓", "add"), "open": ("?", "warn")}
_SURPRISE: tuple[str, Style] = ("!", "remove")
ASK = "Please look it over and send it to us: it settles for everybody what no page says."


def intent(what: Mapping[str, Sequence[str]], notes: Sequence[str]) -> Iterator[Line]:
    """What will be made and taken away again: kind → names, before anybody is asked."""
    for kind, names in what.items():
        lines = wrap(visible(", ".join(names)), 84, break_on_hyphens=False, break_long_words=False)
        for number, one in enumerate(lines):
            yield ((f"  {'' if number else kind:<25}", "bold"), (one, ""))
    for note in notes:
        yield line(note, "dim", indent=2)


def text(run: Probed, *, verbose: bool = False) -> Iterator[Line]:
    """One line an answer; what kxrecon does not count on comes first, with its evidence."""
    yield line(f"{run.cluster} ({run.wire}), database {run.database}, {_version(run)}", "bold")
    width = max((len(one.id) for one in run.found), default=0)
    for one in sorted(run.found, key=lambda found: not found.surprising):
        if one.result != "not-asked":
            yield from _answer(one, width, verbose)
    yield from _not_asked(run.found)
    yield from _left(run.left)
    yield line(summary(run) + ".", "bold")


def _answer(one: Found, width: int, verbose: bool) -> Iterator[Line]:
    glyph, style = _SURPRISE if one.surprising else _GLYPHS[one.result]
    said = f"{one.answer}: {one.meaning}" if one.meaning else one.answer or one.why
    yield (
        (f"  {glyph} ", style),
        (f"{visible(one.id):<{width}}  ", ""),
        (visible(said), "" if one.result == "told" else "dim"),
    )
    if one.surprising:
        yield line(f"kxrecon {one.kxrecon}", "remove", indent=width + 6)
    if one.surprising or verbose:
        for seen in one.seen:
            yield line(seen.said, "dim", indent=width + 6)
            yield line(f"→ {seen.answered}", "dim", indent=width + 6)


def _not_asked(found: Iterable[Found]) -> Iterator[Line]:
    """One paragraph for each reason."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        if one.result == "not-asked":
            reasons.setdefault(one.why, []).append(one.id)
    for why, ids in reasons.items():
        yield line(f"not asked, {why}:", "dim", indent=2)
        for one_line in wrap(", ".join(ids), 104, break_on_hyphens=False):
            yield line(one_line, "dim", indent=6)


def _left(left: Sequence[Left]) -> Iterator[Line]:
    for one in left:
        yield line(f"LEFT BEHIND: {one.what}: {one.why}", "remove", indent=2)
        if one.by_hand:
            yield line(one.by_hand, "change", indent=6)


def cleared(left: Sequence[Left]) -> Iterator[Line]:
    """How clearing up ended."""
    yield from _left(left)
    yield line("nothing of the probe is left." if not left else f"{len(left)} left behind.", "bold")


def summary(run: Probed) -> str:
    """``31 told, 2 open, 8 not asked; 1 is not what kxrecon counts on; stopped: interrupted``."""
    words = (("told", "told"), ("open", "open"), ("not-asked", "not asked"))
    counted = [(sum(one.result == result for one in run.found), word) for result, word in words]
    told = ", ".join(f"{number} {word}" for number, word in counted if number or word == "told")
    number = len(run.surprises)
    verb = "is" if number == 1 else "are"
    against = f"; {number} {verb} not what kxrecon counts on" if number else ""
    return f"{told}{against}{f'; stopped: {run.stopped}' if run.stopped else ''}"


def _version(run: Probed) -> str:
    known = (run.service.get("BuildVersion"), run.service.get("ProductVersion"))
    return f"version {' '.join(one for one in known if one)}" if any(known) else "version unknown"


def as_json(run: Probed, unprobed: Sequence[Unprobed]) -> str:
    """Everything; ``format`` grows when a field changes its meaning."""
    found = [{**asdict(one), "surprising": one.surprising} for one in run.found]
    document = {"format": 1, **asdict(run), "found": found, "unprobed": [asdict(one) for one in unprobed]}
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def as_markdown(run: Probed, unprobed: Sequence[Unprobed]) -> str:
    """A table of answers, what stays open and why, and the evidence folded below."""
    lines = [f"### kxrecon probe: {markdown(summary(run))}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {code(value, cell=True)} |" for name, value in _head(run) if value]
    lines += [f"\n**Left behind** {code(one.what)}: {markdown(one.why)}\n\n{block(one.by_hand)}" for one in run.left]
    lines += ["", "| fact | answer | it means | kxrecon |", "|---|---|---|---|"]
    lines += [_row(one) for one in run.found if one.result == "told"]
    silent = [one for one in run.found if one.result != "told"]
    lines += ["", "| still open | why |", "|---|---|"] if silent else []
    lines += [f"| {code(one.id, cell=True)} | {one.result}: {markdown(one.why)} |" for one in silent]
    lines += ["", "| settled by no probe | why |", "|---|---|"]
    lines += [f"| {one.question} | {one.why} |" for one in unprobed]
    lines += [_details(one) for one in run.found if one.seen]
    return "\n".join(lines) + "\n"


def _head(run: Probed) -> Iterator[tuple[str, str]]:
    yield "cluster", f"{run.cluster} ({run.wire})"
    yield "database", f"{run.database}{', only read' if run.read_only else ''}"
    yield "service", ", ".join(f"{key} {value}" for key, value in run.service.items())
    yield "kxrecon", run.kxrecon
    yield "time", f"{run.began} to {run.ended}"


def _row(one: Found) -> str:
    answer = f"{'⚠ ' if one.surprising else ''}{code(one.answer, cell=True)}"
    return f"| {code(one.id, cell=True)} | {answer} | {one.meaning} | {one.kxrecon} |"


def _details(one: Found) -> str:
    lines = [f"\n<details><summary>{one.id}: {markdown(one.answer or one.result)}</summary>", ""]
    lines += [one.question, ""]
    lines += [block(f"{seen.said}\n→ {seen.answered}") for seen in one.seen]
    return "\n".join([*lines, "", "</details>"])
