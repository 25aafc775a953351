"""What the spec takes away: what it does not name, in the sections and roles where it speaks for all."""

from __future__ import annotations

from collections.abc import Mapping

from kxrecon.model import Entity, State
from kxrecon.scope import Scope

# The section of ``prune:`` that speaks for a kind. Kinds without one are never pruned whole.
SECTIONS: Mapping[str, str] = {
    "continuous_export": "continuousExports",
    "external_table": "externalTables",
    "function": "functions",
    "table": "tables",
    "cluster_identity": "identities",
    "cluster_role": "clusterRoles",
    "database_role": "grants",
    "managed_identity_policy": "grants",
    "role_assignment": "grants",
    "acl_entry": "grants",
    "sql_user": "grants",
    "sql_grant": "grants",
}
# Other teams' grants live beside ours: without our mark they are never deleted, whatever ``prune`` says.
ONLY_OWNED = frozenset(
    {"database_role", "managed_identity_policy", "role_assignment", "acl_entry", "sql_user", "sql_grant"}
)


class Pruning:
    """Decides about observed entities that ``desired`` does not name."""

    def __init__(self, desired: State, scope: Scope) -> None:
        self._scope = scope
        self._exact = {one.ref.name[:2] for one in desired.of_kind("database_role") if one.attributes.get("exact")}
        self._exact_cluster = {
            one.ref.name[:1] for one in desired.of_kind("cluster_role") if one.attributes.get("exact")
        }

    def takes(self, entity: Entity) -> bool:
        """True if an observed entity is to go."""
        ref = entity.ref
        if ref.kind == "database_role" and ref.name[:2] in self._exact:
            return True
        if ref.kind == "cluster_role" and ref.name[:1] in self._exact_cluster:
            return True
        how = self._scope.prune.get(SECTIONS.get(ref.kind, ""), "none")
        if how == "owned" or (how == "all" and ref.kind in ONLY_OWNED):
            return entity.owner == self._scope.mark
        return how == "all"
