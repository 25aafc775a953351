"""Probes of external tables: what is shown of their connection strings, and what is checked when they are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from kxrecon.probe.commands import LAKE, external_table, own, policy
from kxrecon.probe.furniture import ABFSS, DELTA, IDENTIFIED, INVENTED, SQL, identified, place
from kxrecon.probe.model import Given, Probe, Scene, Verdict

SHOWN = {
    "visible": "it can be read back and compared",
    "masked": "all that can be seen is that there is something",
    "absent": "the string is shown without it",
}
STRINGS = ("external tables",)


def _strings(row: object) -> list[str]:
    """The connection strings of a row, whether they came as JSON or as its text."""
    found = json.loads(row) if isinstance(row, str) and row.startswith("[") else row
    return [str(one) for one in found] if isinstance(found, list) else []


def _harmless(name: str, word: str) -> Callable[[Scene], Verdict]:
    """Whether ``;impersonate`` or ``;managed_identity=…``, which are no secrets, can be read."""

    def judge(scene: Scene) -> Verdict:
        seen = [one for row in scene.rows("external tables") for one in _strings(row["ConnectionStrings"])]
        if any(f";{word}" in one for one in seen):
            return Verdict("visible", f"…;{word}")
        (mine,) = _strings(scene.row("external tables", name)["ConnectionStrings"]) or [""]
        return Verdict("masked" if "***" in mine else "absent", mine)

    return judge


def _secret(name: str) -> Callable[[Scene], Verdict]:
    def judge(scene: Scene) -> Verdict:
        row = scene.row("external tables", name)
        text = json.dumps([row["ConnectionStrings"], row["Properties"]])
        verdict = "visible" if INVENTED in text else "masked" if "***" in text else "absent"
        return Verdict(verdict, text.replace(INVENTED, "(the invented one)"))

    return judge


def _type(name: str) -> Callable[[Scene], Verdict]:
    def judge(scene: Scene) -> Verdict:
        shown = scene.row("external tables", name)["TableType"]
        return Verdict(str(shown), {"TableType": shown})

    return judge


def _dynamic(scene: Scene) -> Verdict:
    rows = [row for row in scene.rows("external tables") if row["ConnectionStrings"] not in (None, "", [], "[]")]
    row = rows[0] if rows else scene.row("external tables", LAKE)
    return Verdict("text" if isinstance(row["ConnectionStrings"], str) else "json")


# ---- which usage of the policy a table with an identity needs
NEEDY = own("Needy")


def _narrowed(given: Given) -> Sequence[str]:
    return (policy(given.database, given.identities, "AutomatedFlows"),)


def _needy(given: Given) -> Sequence[str]:
    """The table, and then the policy as it was."""
    made = external_table(NEEDY, place(given, NEEDY) + identified(given))
    return (made, policy(given.database, given.identities))


def _needs_usage(scene: Scene) -> Verdict:
    scene.done(1)
    scene.made(IDENTIFIED)  # the same table was taken while the usage was allowed
    return Verdict("refused" if scene.told[0].refusal else "accepted")


def _credential(word: str, what: str, name: str, needs: tuple[str, ...]) -> Probe:
    return Probe(
        id=f"external-table-{word}-shown",
        fact="table-credentials-masked",
        question=f"Is {what} (an invented one) of an external table shown or masked?",
        answers={**SHOWN, "visible": "whoever may read the schema may read it"},
        kxrecon="counts on not seeing it: such a connection is compared as far as it is shown",
        judge=_secret(name),
        looks=STRINGS,
        needs=needs,
        counts_on=("masked", "absent"),
    )


PROBES = (
    *(
        Probe(
            id=f"external-table-{word}-shown",
            fact="table-impersonate-shown",
            question=f"Is ;{suffix} of an external table shown or masked?",
            answers=SHOWN,
            kxrecon="compares connections as far as they are shown, and says what it cannot verify",
            judge=_harmless(name, suffix.partition("…")[0]),
            looks=STRINGS,
            needs=needs,
            when="any",
        )
        for word, suffix, name, needs in (
            ("impersonate", "impersonate", LAKE, ("storage",)),
            ("managed-identity", "managed_identity=…", IDENTIFIED, ("storage", "identity", "policy")),
        )
    ),
    _credential("signature", "the shared access signature", own("Signed"), ("storage",)),
    _credential("key", "the account key", own("Keyed"), ("storage",)),
    _credential("sql-password", "the password", SQL, ()),
    Probe(
        id="external-table-type-abfss",
        fact="table-types",
        question="What is the TableType of an external table at an abfss:// address?",
        answers={"Blob": "as for any storage", "Adl": "a type of its own"},
        kxrecon="takes every type that is neither Sql nor Delta for storage",
        judge=_type(ABFSS),
        looks=STRINGS,
        needs=("storage",),
    ),
    Probe(
        id="external-table-type-delta",
        fact="table-types",
        question="What is the TableType of a delta table?",
        answers={"Delta": "a type of its own", "Blob": "as for any storage"},
        kxrecon="knows delta tables by this type",
        judge=_type(DELTA),
        looks=STRINGS,
        needs=("storage",),
        counts_on=("Delta",),
    ),
    Probe(
        id="external-table-needs-usage",
        fact="table-needs-usage",
        question="Is an external table with an identity refused while the policy lacks the usage ExternalTable?",
        answers={
            "refused": "both usages are needed where the connection string carries the identity",
            "accepted": "only its use may fail",
        },
        kxrecon="asks for both usages, which is enough either way",
        judge=_needs_usage,
        first=_narrowed,
        asks=_needy,
        needs=("storage", "identity", "policy"),
    ),
    Probe(
        id="wire-dynamic",
        fact="wire-dynamic",
        question="How do management answers write a dynamic?",
        answers={"json": "as JSON", "text": "as a text that holds JSON"},
        kxrecon="reads both",
        judge=_dynamic,
        looks=STRINGS,
        needs=("storage",),
        when="any",
    ),
)
