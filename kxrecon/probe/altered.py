"""Probes of what ``.create-or-alter`` does to a continuous export that is there: its cursor, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kxrecon.kql import MINUTE
from kxrecon.probe.commands import export, own, running, still
from kxrecon.probe.furniture import CURSOR, cursor
from kxrecon.probe.model import CannotTell, Given, Probe, Scene, Verdict


# ---- the cursor
def _cursor_probe(change: str, words: str) -> Probe:
    name = cursor(change)

    def asks(given: Given) -> Sequence[str]:
        identity = given.identities[1] if change == "identity" else given.identity
        more = {"intervalBetweenRuns": 2 * MINUTE} if change == "interval" else {}
        return (export(name, running(identity, **more), **CURSOR[change]),)

    def judge(scene: Scene) -> Verdict:
        before, after = scene.row("exports", name, before=True), scene.row("exports", name)
        scene.done()
        if not before["StartCursor"]:
            raise CannotTell("the export had no cursor yet that could be kept: try a longer --wait, or --record")
        shown = {when: _place(row) for when, row in (("before", before), ("after", after))}
        behind = before["ExportedTo"] and str(after["ExportedTo"] or "") < str(before["ExportedTo"])
        kept = before["StartCursor"] == after["StartCursor"] and not behind
        return Verdict("kept" if kept else "reset", shown)

    return Probe(
        id=f"export-cursor-{change}",
        fact="export-cursor-on-alter",
        question=f"Does a continuous export go on where it stood when .create-or-alter changes {words}?",
        answers={
            "kept": "the change costs nothing",
            "reset": "the export starts from the change: records ingested before it and not exported yet are left out",
        },
        kxrecon="says that it is not confirmed, compares the cursor before and after, and tells a gap with its repair",
        judge=judge,
        looks=("exports",),
        asks=asks,
        needs=("storage", "two identities" if change == "identity" else "identity"),
    )


def _place(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("StartCursor", "ExportedTo", "LastRunTime", "LastRunResult")}


# ---- what a definition leaves out
def _omitted(word: str, what: str, first: Mapping[str, Any], kept: Callable[[Scene, str], Verdict]) -> Probe:
    """Make an export, define it again with nothing but identity, interval and switch less ``first``."""
    name = own(f"Omit{word.title().replace('-', '')}")

    def made(given: Given) -> Sequence[str]:
        return (export(name, {**still(given.identity), **first}),)

    def asks(given: Given) -> Sequence[str]:
        left = {key: value for key, value in still(given.identity).items() if key != what}
        return (export(name, left),)

    return Probe(
        id=f"export-omitted-{word}",
        fact="export-omitted-properties",
        question=f"Does a .create-or-alter of an export that leaves out {what} reset it?",
        answers={"reset": "whoever leaves it out loses it", "kept": "it stays until something else is said"},
        kxrecon="sends the whole definition each time, what the spec leaves out as it was observed",
        judge=lambda scene: kept(scene, name),
        looks=("exports",),
        first=made,
        asks=asks,
        needs=("storage", "identity"),
    )


def _column_kept(column: str) -> Callable[[Scene, str], Verdict]:
    def judge(scene: Scene, name: str) -> Verdict:
        scene.done()
        shown = scene.row("exports", name)[column]
        return Verdict("kept" if shown else "reset", {column: shown})

    return judge


def _identity_kept(scene: Scene, name: str) -> Verdict:
    """Without an identity the definition is refused, for the table impersonates: refused means that it was reset."""
    refusal = scene.told[0].refusal
    if refusal and "managedidentity" not in refusal.lower():
        raise CannotTell(refusal)
    return Verdict("reset" if refusal else "kept")


PROBES = (
    _cursor_probe("query", "its query"),
    _cursor_probe("interval", "intervalBetweenRuns"),
    _cursor_probe("over", "the list of its fact tables"),
    _cursor_probe("target", "its external table"),
    _cursor_probe("identity", "its managed identity"),
    _omitted("is-disabled", "isDisabled", {"isDisabled": True}, _column_kept("IsDisabled")),
    _omitted("forced-latency", "forcedLatency", {"forcedLatency": 10 * MINUTE}, _column_kept("ForcedLatency")),
    _omitted("identity", "managedIdentity", {}, _identity_kept),
)
