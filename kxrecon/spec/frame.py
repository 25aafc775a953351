"""The frame around a spec's entities: its Scope, and the hazards that it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from kxrecon.model import Allow
from kxrecon.scope import SYSTEM, Rotation, Scope, Target

ROTATING: Mapping[str, Literal["identity", "target"]] = {"identities": "identity", "targets": "target"}


def build_scope(document: dict[str, Any], name: str) -> Scope:
    """The Scope of a valid document; its directory is empty until answers come."""
    cluster = document.get("cluster") or {}
    cluster_id = str(cluster.get("resourceId", ""))
    own = _subscription(cluster_id)
    return Scope(
        name=name,
        cluster_uri=str(cluster.get("uri", "")).rstrip("/"),
        cluster_id=cluster_id,
        identities=_identities(document, cluster.get("identities") or {}),
        principals=dict(document.get("principals") or {}),
        targets={key: Target(key, doc) for key, doc in (document.get("targets") or {}).items()},
        databases=tuple(document.get("databases") or ()),
        declared=frozenset(_declared(document)),
        manage=dict(document.get("manage") or {}),
        prune=dict(document.get("prune") or {}),
        policy_scope=document.get("policyScope", "database"),
        cloud=document.get("cloud", "public"),
        subscriptions=tuple(document.get("subscriptions") or ((own,) if own else ())),
        rotations=tuple(_rotations(document.get("rotations") or {})),
    )


def _rotations(document: dict[str, Any]) -> Iterator[Rotation]:
    for section, what in ROTATING.items():
        for name, doc in (document.get(section) or {}).items():
            yield Rotation(what, name, doc["from"], doc.get("runs", 1), doc.get("revoke", "owned"))


def _subscription(resource_id: str) -> str:
    parts = resource_id.split("/")
    return parts[2].lower() if len(parts) > 2 else ""


def _identities(document: dict[str, Any], declared: dict[str, Any]) -> dict[str, str]:
    """Resource ids by symbol; the system identity is there if anything names it."""
    identities = {symbol: "" if symbol == SYSTEM else str(value) for symbol, value in declared.items()}
    if SYSTEM not in identities and any(symbol == SYSTEM for symbol in _named(document)):
        return {SYSTEM: "", **identities}
    return identities


def _named(document: dict[str, Any]) -> Iterator[Any]:
    """The identities that targets, policies and exports name."""
    for target in (document.get("targets") or {}).values():
        yield target.get("identity")
    yield from (document.get("cluster") or {}).get("managedIdentityPolicy") or {}
    for database in (document.get("databases") or {}).values():
        yield from database.get("managedIdentityPolicy") or {}
        for export in (database.get("continuousExports") or {}).values():
            yield export.get("managedIdentity")


def _declared(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The sections that the spec has, by their paths: pruning and per-section reads ask for them."""
    for key, value in document.items():
        if isinstance(value, dict) and key not in ("defaults", "variables"):
            yield (key,)
    yield from (("cluster", key) for key in document.get("cluster") or ())
    for name, database in (document.get("databases") or {}).items():
        yield ("databases", name)
        for section in database:
            yield ("databases", name, section)
        yield from (("databases", name, "roles", role) for role in database.get("roles") or ())


def allows(document: dict[str, Any]) -> tuple[Allow, ...]:
    """The hazards that ``allow:`` accepts."""
    return tuple(
        Allow(one["hazard"], one.get("entity"), one.get("until"), one["reason"]) for one in document.get("allow") or ()
    )
