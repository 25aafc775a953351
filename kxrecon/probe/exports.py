"""Probes of continuous exports: what is shown of them, what is refused, and what else may be said to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from kxrecon.probe.commands import LAKE, export, own, script, set_cursor, still, switch
from kxrecon.probe.furniture import NO_OVER, QUERY, SAMPLE
from kxrecon.probe.model import EITHER, Given, Probe, Scene, Verdict

NEEDS = ("storage", "identity")
NOBODY = "00000000-0000-4000-8000-00000000dead"
"""An object id that belongs to nobody."""
OLD_CURSOR = "636751928823156645"
"""A cursor of 2018, in the form of Microsoft's examples."""


# ---- what is shown
def _identity_shown(scene: Scene) -> Verdict:
    bags = [_json(row["ExportProperties"]) for row in scene.rows("exports")]
    listed = any(key.lower().startswith("managedidentity") for bag in bags for key in bag or {})
    lines = [str(row[0]) for row in scene.after["script"].rows]
    scripted = any("continuous-export" in line and "managedidentity" in line.lower() for line in lines)
    shown = {"keys of ExportProperties": sorted({key for bag in bags for key in bag or {}})}
    if listed or scripted:
        return Verdict("both" if listed and scripted else "properties" if listed else "script", shown)
    scene.row("exports", SAMPLE)  # of somebody else's export it is not known whether it has an identity
    return Verdict("nowhere", shown)


def _in_script(word: str, name: str, look: str) -> Callable[[Scene], Verdict]:
    def judge(scene: Scene) -> Verdict:
        if not scene.rows(look):
            scene.row(look, name)
        lines = [str(row[0]) for row in scene.after["script"].rows]
        return Verdict("yes" if any(f" {word} " in line.partition("(")[0] for line in lines) else "no")

    return judge


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.strip() else value


def _over_omitted(scene: Scene) -> Verdict:
    shown = scene.row("exports", NO_OVER)["CursorScopedTables"]
    found = _json(shown)
    return Verdict("null" if found is None else "resolved" if found else "empty", {"CursorScopedTables": shown})


def _query_shown(scene: Scene) -> Verdict:
    shown = str(scene.row("exports", SAMPLE)["Query"])
    same = "respaced" if shown.split() == QUERY.split() else "rewritten"
    return Verdict("as-written" if shown == QUERY else same, {"sent": QUERY, "shown": shown})


# ---- accepted or refused
def _twice(verb: str) -> Probe:
    """The export is made disabled, brought into the state, and told so once more."""
    name = own(f"{verb.title()}Twice")

    def made(given: Given) -> Sequence[str]:
        disabled = export(name, still(given.identity))
        return (disabled, switch(verb, name)) if verb == "enable" else (disabled,)

    return Probe(
        id=f"export-{verb}-twice",
        fact="export-enable-twice",
        question=f"Is .{verb} of an export an error when it is {verb}d already?",
        answers={"ok": "it may be repeated", "error": "it must be sent only where it changes something"},
        kxrecon="looks first, and sends it only where it changes something",
        judge=_accepted("ok", "error"),
        first=made,
        asks=lambda _: (switch(verb, name),),
        needs=NEEDS,
    )


def _accepted(yes: str, no: str, *, stands_on: str = SAMPLE) -> Callable[[Scene], Verdict]:
    """Whether the last command was taken; ``stands_on`` shows that the like of it is taken otherwise."""

    def judge(scene: Scene) -> Verdict:
        scene.made(stands_on)
        return Verdict(no if scene.told[-1].refusal else yes)

    return judge


def _drop_missing(scene: Scene) -> Verdict:
    told = scene.told[0]
    return Verdict(told.code or "another refusal" if told.refusal else "ok")


def _show_missing(scene: Scene) -> Verdict:
    told = scene.told[0]
    return Verdict("error" if told.refusal else "rows" if told.table.rows else "empty")


def _cursor_set(scene: Scene) -> Verdict:
    if scene.told[0].refusal:
        return Verdict("refused")
    shown = scene.row("exports", own("SetCursor"))["StartCursor"]
    return Verdict("set" if str(shown) == OLD_CURSOR else "no-effect", {"sent": OLD_CURSOR, "StartCursor": shown})


def _multiline(scene: Scene) -> Verdict:
    scene.made(SAMPLE)  # the same definition was taken outside a script
    rows = scene.done().table.records()
    if any(str(row.get("Result")) != "Completed" for row in rows):
        return Verdict("refused", rows)
    shown = str(scene.row("exports", own("Script"))["Query"])
    return Verdict("whole" if shown.split() == QUERY.split() else "cut", {"Query": shown})


PROBES = (
    Probe(
        id="export-identity-shown",
        fact="export-identity-shown",
        question="Where can the managedIdentity of an export be read back?",
        answers={
            "properties": "in ExportProperties of .show continuous-exports",
            "script": "only in the schema as csl script",
            "both": "in either",
            "nowhere": "what an export runs as cannot be compared",
        },
        kxrecon="looks in both; where it is nowhere, the plan says that it cannot be verified",
        judge=_identity_shown,
        looks=("exports", "script"),
        needs=NEEDS,
        when="any",
    ),
    *(
        Probe(
            id=f"script-lists-{word.replace(' ', '-')}s",
            fact="export-in-script",
            question=f"Does the schema as csl script list {word}s?",
            answers={"yes": "one read shows the whole database", "no": "they have to be read elsewhere"},
            kxrecon="reads external tables and exports by their own commands, and the script for what these hide",
            judge=_in_script(word, name, look),
            looks=("script", look),
            needs=needs,
            when="any",
        )
        for word, name, look, needs in (
            ("continuous-export", SAMPLE, "exports", NEEDS),
            ("external table", LAKE, "external tables", ("storage",)),
        )
    ),
    Probe(
        id="export-without-over",
        fact="export-without-over",
        question="What is CursorScopedTables when over() is left out?",
        answers={"null": "nothing", "empty": "an empty list", "resolved": "the tables that the query reads"},
        kxrecon="compares over only where the spec states it",
        judge=_over_omitted,
        looks=("exports",),
        needs=NEEDS,
    ),
    Probe(
        id="export-query-shown",
        fact="export-query-shown",
        question="Is the query of an export shown as it was written, byte for byte?",
        answers={
            "as-written": "texts can be compared",
            "respaced": "with other white space: texts can be compared with a ledger",
            "rewritten": "in a form of the service's own: texts can be compared with a ledger",
        },
        kxrecon="compares texts without the space around them; with a ledger, with what was shown after it wrote them",
        judge=_query_shown,
        looks=("exports",),
        needs=NEEDS,
    ),
    _twice("enable"),
    _twice("disable"),
    Probe(
        id="export-missing",
        fact="export-missing",
        question="What does .show continuous-export answer for a name that does not exist?",
        answers={"error": "a refusal", "empty": "no row"},
        kxrecon=f"{EITHER}: it reads the list",
        judge=_show_missing,
        asks=lambda _: (f".show continuous-export ['{own('Missing')}']",),
        when="any",
    ),
    Probe(
        id="export-drop-missing",
        fact="export-drop-missing",
        question="What is said to .drop of an export that does not exist?",
        answers={"BadRequest_EntityNotFound": "a refusal that can be told from others", "ok": "nothing"},
        kxrecon="takes BadRequest_EntityNotFound for done, and any other refusal for a failure",
        judge=_drop_missing,
        asks=lambda _: (switch("drop", own("Missing")),),
        counts_on=("BadRequest_EntityNotFound", "ok"),
    ),
    Probe(
        id="export-without-target",
        fact="export-without-target",
        question="Is an export refused whose external table does not exist?",
        answers={"refused": "the external table has to be there first", "accepted": "only its runs fail"},
        kxrecon="makes the external table first",
        judge=_accepted("accepted", "refused"),
        asks=lambda given: (export(own("NoTarget"), still(given.identity), to=own("Missing")),),
        needs=NEEDS,
    ),
    Probe(
        id="export-identity-checked",
        fact="export-identity-checked",
        question="When is it checked that an export's identity is attached and allowed?",
        answers={"at-create": "the definition is refused", "at-run": "the definition is taken, and its runs fail"},
        kxrecon="attaches the identity and sets the policy first; verify finds what was broken later",
        judge=_accepted("at-run", "at-create", stands_on=LAKE),
        asks=lambda _: (export(own("Nobody"), still(NOBODY)),),
        needs=("storage",),
    ),
    Probe(
        id="export-property-case",
        fact="export-property-case",
        question="Are the names of an export's properties taken in any letter case?",
        answers={"any": "they are", "exact": "only as they are documented"},
        kxrecon="sends them as they are documented, and reads them in any",
        judge=_accepted("any", "exact"),
        asks=lambda given: (export(own("Case"), {"MANAGEDIDENTITY": given.identity, "isdisabled": True}),),
        needs=NEEDS,
    ),
    Probe(
        id="export-size-limit",
        fact="export-size-limit",
        question="Is the greatest sizeLimit, 1 GB, 2^30 bytes?",
        answers={"2^30": "it is", "less": "it is not: 10^9, perhaps"},
        kxrecon="lets 2^30 pass; the service has the last word, before anything that depends on it is done",
        judge=_accepted("2^30", "less"),
        asks=lambda given: (export(own("Size"), still(given.identity, sizeLimit=2**30)),),
        needs=NEEDS,
    ),
    Probe(
        id="export-set-cursor",
        fact="export-set-cursor",
        question="What does .set continuous-export … cursor to … do? (It is in the grammar and in no page.)",
        answers={
            "set": "it moves StartCursor: a lost place could be put back",
            "no-effect": "it is taken, and StartCursor stays",
            "refused": "it is not for us",
        },
        kxrecon="never sends it: a gap is filled by a bounded export",
        judge=_cursor_set,
        looks=("exports",),
        first=lambda given: (export(own("SetCursor"), still(given.identity)),),
        asks=lambda _: (set_cursor(own("SetCursor"), OLD_CURSOR),),
        needs=NEEDS,
    ),
    Probe(
        id="script-multiline-query",
        fact="script-multiline-query",
        question="Does .execute database script take an export with a query of several lines?",
        answers={"whole": "it does", "cut": "the query loses lines", "refused": "it does not"},
        kxrecon="sends one command in each request",
        judge=_multiline,
        looks=("exports",),
        asks=lambda given: (script(export(own("Script"), still(given.identity), query=QUERY)),),
        needs=NEEDS,
    ),
)
