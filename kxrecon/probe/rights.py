"""Probes of rights: the managed_identity policy, roles of the database, role assignments of Azure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from kxrecon.model import Request
from kxrecon.probe.commands import PREFIX, USAGES, monitor
from kxrecon.probe.furniture import MONITOR, POLICY
from kxrecon.probe.model import CannotTell, Given, Probe, Scene, Verdict

NOTE = f"{PREFIX}, noted again"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""The built-in role of that name (learn.microsoft.com, Azure built-in roles)."""


# ---- managed_identity policy
def _policy_column(scene: Scene) -> Verdict:
    columns = scene.after["policy"].columns
    return Verdict(next((name for name in columns if name in ("Policy", "Policies")), "another"), columns)


def _policy(scene: Scene) -> Any:
    """The policy's cell."""
    table = scene.after["policy"]
    column = table.index("Policy", "Policies")
    if column is None or not table.rows:
        raise CannotTell("the policy is shown without a column or a row for it")
    return table.rows[0][column]


def _entries(scene: Scene) -> list[dict[str, Any]]:
    shown = _policy(scene)
    found = json.loads(shown) if isinstance(shown, str) and shown.strip() else shown
    return [one for one in found or () if isinstance(one, dict)]


def _policy_unset(scene: Scene) -> Verdict:
    if not scene.after["policy"].rows:
        return Verdict("no-row")
    shown = _policy(scene)
    if shown not in (None, "", "null", "[]"):
        raise CannotTell("the database has a managed_identity policy of its own")
    return Verdict({None: "null", "": "empty", "null": "text-null", "[]": "text-list"}[shown], {"shown": shown})


def _policy_system(scene: Scene) -> Verdict:
    words = [one for one in _entries(scene) if str(one.get("ObjectId")).lower() == "system"]
    known = [one for one in _entries(scene) if one.get("IsSystem")]
    if words or known:
        entry = (words or known)[0]
        return Verdict("system" if words else "object-id", {key: entry.get(key) for key in ("ObjectId", "IsSystem")})
    scene.made(POLICY)
    raise CannotTell("no entry of the policy is said to be the system identity's")


def _usage_order(scene: Scene) -> Verdict:
    scene.made(POLICY)
    shown = [str(one.get("AllowedUsages")) for one in _entries(scene)]
    return Verdict("as-sent" if shown and set(shown) == {USAGES} else "another", {"sent": USAGES, "shown": shown})


# ---- roles
def monitors(rows: Sequence[dict[str, Any]], principal: str) -> list[dict[str, Any]]:
    """The rows that say that a principal is a monitor of the database."""
    who = principal.partition("=")[2].partition(";")[0].lower()
    return [row for row in rows if str(row["Role"]).endswith("Monitor") and who in json.dumps(row).lower()]


def _mine(scene: Scene) -> list[dict[str, Any]]:
    scene.made(MONITOR)
    found = monitors(scene.rows("principals"), scene.given.principal)
    if not found:
        raise CannotTell("the monitor was added and is not listed")
    return found


def _repeated(scene: Scene) -> Verdict:
    scene.made(MONITOR)
    return Verdict("error" if scene.told[-1].refusal else "ok")


def _note_changed(scene: Scene) -> Verdict:
    scene.done()
    notes = [str(row.get("Notes") or "") for row in _mine(scene)]
    answer = "changed" if notes == [NOTE] else "kept" if notes == [PREFIX] else "another"
    return Verdict(answer, {"sent": [PREFIX, NOTE], "Notes": notes})


def _name_shown(scene: Scene) -> Verdict:
    shown = str(_mine(scene)[0]["PrincipalFQN"])
    same = shown.lower() == scene.given.principal.lower()
    return Verdict("as-sent" if same else "another", {"sent": scene.given.principal, "PrincipalFQN": shown})


# ---- Azure role assignments
def assignment(given: Given) -> dict[str, str]:
    """Where the role assignment lies: its scope, and a name that only ours can have."""
    seed = f"{PREFIX}|{given.role_at}|{given.object_id}".lower()
    return {"scope": given.role_at, "name": str(uuid.uuid5(uuid.NAMESPACE_URL, seed))}


def reader(given: Given, description: str = PREFIX) -> Request:
    """The identity as a Reader of the scope."""
    subscription = "/".join(given.role_at.split("/")[:3])
    properties = {
        "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{READER}",
        "principalId": given.object_id,
        "principalType": "ServicePrincipal",
        "description": description,
    }
    return Request("arm", "", ("roleAssignments.create",), {**assignment(given), "properties": properties})


def _described(scene: Scene) -> Verdict:
    told = scene.told[0]
    if told.code == "RoleAssignmentExists":
        raise CannotTell("the identity has this role by an assignment of somebody else")
    return Verdict("refused" if told.refusal else "changed")


def _assigned_again(scene: Scene) -> Verdict:
    told = scene.told[0]
    if told.refusal and told.code != "RoleAssignmentExists":
        raise CannotTell(told.refusal)
    return Verdict("conflict" if told.refusal else "ok")


PROBES = (
    Probe(
        id="policy-column",
        fact="policy-column",
        question="Is the column of .show … policy managed_identity called Policy or Policies?",
        answers={"Policy": "as the grammar has it", "Policies": "as the documentation has it"},
        kxrecon="reads both",
        judge=_policy_column,
        looks=("policy",),
        when="any",
    ),
    Probe(
        id="policy-unset",
        fact="policy-unset",
        question="What is shown where no managed_identity policy is set?",
        answers={
            "text-null": "the text null, as of other policies",
            "null": "null",
            "empty": "an empty text",
            "text-list": "an empty list",
            "no-row": "no row",
        },
        kxrecon="takes all of them for no policy",
        judge=_policy_unset,
        looks=("policy",),
        when="bare",
        needs=("policy",),
        counts_on=("text-null", "null", "empty", "text-list", "no-row"),
    ),
    Probe(
        id="policy-system",
        fact="policy-system",
        question="Does an entry for 'system' read back as the identity's object id?",
        answers={"object-id": "it is resolved, and IsSystem tells it apart", "system": "it stays a word"},
        kxrecon="knows it by either",
        judge=_policy_system,
        looks=("policy",),
        needs=("system", "policy"),
        when="any",
    ),
    Probe(
        id="policy-usage-order",
        fact="policy-usage-order",
        question="Are AllowedUsages shown as they were written, in their order?",
        answers={"as-sent": "texts can be compared", "another": "only sets can be compared"},
        kxrecon="compares sets",
        judge=_usage_order,
        looks=("policy",),
        needs=("identity", "policy"),
    ),
    Probe(
        id="role-name-shown",
        fact="roles-name-shown",
        question="Is a principal shown by the name by which it was added?",
        answers={"as-sent": "names can be compared", "another": "only ids can be compared"},
        kxrecon="compares ids",
        judge=_name_shown,
        looks=("principals",),
        needs=("principal",),
    ),
    Probe(
        id="role-add-twice",
        fact="roles-repeated",
        question="Is .add of a principal that is there already an error?",
        answers={"ok": "it may be repeated", "error": "it must be sent only where it changes something"},
        kxrecon="sends only what a fresh read says is missing",
        judge=_repeated,
        asks=lambda given: (monitor("add", given.database, given.principal, PREFIX),),
        needs=("principal",),
    ),
    Probe(
        id="role-note-changed",
        fact="roles-note-changed",
        question="Does .add with another description change the Notes of a principal that is there?",
        answers={"changed": "a mark can be put on what is there", "kept": "only what is new can carry a mark"},
        kxrecon="counts on it for plan --adopt, which marks what is there by .add with the mark",
        judge=_note_changed,
        looks=("principals",),
        asks=lambda given: (monitor("add", given.database, given.principal, NOTE),),
        needs=("principal",),
        counts_on=("changed",),
    ),
    Probe(
        id="role-drop-absent",
        fact="roles-repeated",
        question="Is .drop of a principal that is not there an error?",
        answers={"ok": "it may be repeated", "error": "it must be sent only where it changes something"},
        kxrecon="sends only what a fresh read says is there",
        judge=_repeated,
        first=lambda given: (monitor("drop", given.database, given.principal),),
        asks=lambda given: (monitor("drop", given.database, given.principal),),
        needs=("principal",),
    ),
    Probe(
        id="role-assignment-repeated",
        fact="role-repeated",
        question="Is the same role assignment again (PUT under its own name) a conflict?",
        answers={"conflict": "409 RoleAssignmentExists", "ok": "200"},
        kxrecon="takes both for done",
        judge=_assigned_again,
        first=lambda given: (reader(given),),
        asks=lambda given: (reader(given),),
        needs=("scope",),
    ),
    Probe(
        id="role-assignment-described",
        fact="role-description",
        question="Can the description of a role assignment be changed by a PUT under its own name?",
        answers={"changed": "a mark can be put on what is there", "refused": "only what is new can carry a mark"},
        kxrecon="counts on it for plan --adopt, which marks what is there",
        judge=_described,
        asks=lambda given: (reader(given, NOTE),),
        needs=("scope",),
        counts_on=("changed",),
    ),
)
