"""Managed identities: which are on the cluster, and what the managed_identity policy lets them do.

Source: "learn.microsoft.com, Managed identity policy".
"""

from __future__ import annotations

from typing import Any

from kxrecon.sandbox.kusto import principals
from kxrecon.sandbox.kusto.errors import BadRequest
from kxrecon.sandbox.kusto.principals import Principal
from kxrecon.sandbox.kusto.session import Session

USAGES = (
    "All",
    "AutomatedFlows",
    "AzureAI",
    "DataConnection",
    "ExportRequest",
    "ExternalDataRequest",
    "ExternalTable",
    "NativeIngestion",
    "SandboxArtifacts",
    "SqlRequest",
)
CLUSTER_ONLY = {"SandboxArtifacts"}


def attached(session: Session, reference: str) -> Principal | None:
    """The identity on the cluster that ``system`` or an object id means."""
    system = str((session.cluster.get("identity") or {}).get("system") or "").lower()
    wanted = system if reference.lower() == "system" else reference.lower()
    if not wanted:
        return None
    found = principals.attached(session.store, session.cluster)
    return next((who for who in found if who.object_id.lower() == wanted), None)


def policy(session: Session, stated: Any, before: Any, merge: bool) -> Any:
    """The array after ``.alter`` (replaces) or ``.alter-merge`` (adds entries and usages, never removes)."""
    if not isinstance(stated, list) or not all(isinstance(item, dict) for item in stated):
        raise BadRequest("The managed identity policy must be an array of objects")
    entries: dict[str, Any] = {str(item["ObjectId"]).lower(): item for item in (before or [])} if merge else {}
    for item in stated:
        entry = _entry(session, item)
        key = entry["ObjectId"].lower()
        old = _usages(entries[key]["AllowedUsages"]) if key in entries else []
        entry["AllowedUsages"] = ", ".join(dict.fromkeys(old + _usages(entry["AllowedUsages"])))
        entries[key] = entry
    return list(entries.values())


def _usages(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _entry(session: Session, item: dict[str, Any]) -> dict[str, Any]:
    reference, stated = str(item.get("ObjectId") or ""), item.get("AllowedUsages")
    if not reference or not isinstance(stated, str) or not _usages(stated):
        raise BadRequest("A managed identity needs ObjectId and AllowedUsages")
    level_only = CLUSTER_ONLY if session.database else set()
    for usage in _usages(stated):
        if usage not in USAGES or usage in level_only:
            raise BadRequest(f"'{usage}' is not a usage that is allowed here")
    who = attached(session, reference)
    if who is None:
        raise BadRequest(f"Managed identity '{reference}' is not assigned to the cluster")
    system = who.object_id.lower() == str((session.cluster.get("identity") or {}).get("system") or "").lower()
    as_word = system and reference.lower() == "system" and session.switches.system_in_policy == "system"
    return {
        "ObjectId": "system" if as_word else who.object_id,
        "ClientId": who.app_id,
        "TenantId": who.tenant,
        "DisplayName": who.display,
        "IsSystem": system,
        "AllowedUsages": stated,
    }


def allowed(session: Session, who: Principal, usage: str) -> bool:
    """Whether cluster or database policy lets the identity be used so: the two add up."""
    system = str((session.cluster.get("identity") or {}).get("system") or "").lower()
    ids = {who.object_id.lower()} | ({"system"} if who.object_id.lower() == system else set())
    keys = (
        (session.uri, "cluster", "managed_identity"),
        (session.uri, "database", session.database, "managed_identity"),
    )
    for key in keys:
        for item in (session.store.get("policy", *key) or {}).get("policy") or []:
            if str(item["ObjectId"]).lower() in ids and {usage, "All"} & set(_usages(item["AllowedUsages"])):
                return True
    return False
