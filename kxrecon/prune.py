"""What the spec takes away: what it does not name, in the sections and roles where it speaks for all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from kxrecon.model import Entity, Hidden, Ref, State, Value
from kxrecon.scope import SYSTEM, Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import Stored, connections, databases_read

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

    def __init__(self, desired: State, scope: Scope, observed: State) -> None:
        self._scope = scope
        self._desired, self._observed = desired, observed
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
            # Who else relies on a grant is asked again for all kinds (``relied.py``); a target whose connection string
            # is masked only shows here.
            unused = ref.kind != "role_assignment" or not self.users(entity)
            return entity.owner == self._scope.mark and unused
        return how == "all"

    @cached_property
    def staying(self) -> tuple[Entity, ...]:
        """Exports that run on though the spec does not have them: somebody else's, or left behind."""
        found = self._observed.of_kind("continuous_export")
        return tuple([one for one in found if one.ref not in self._desired.entities and not self.takes(one)])

    @cached_property
    def _stored(self) -> Stored:
        return Stored(self._observed)

    def users(self, entity: Entity) -> tuple[str, ...]:
        """The exports that stay and would stop without this grant; empty for what is no grant with a mark."""
        if entity.ref.kind not in ("database_role", "role_assignment"):
            return ()
        return tuple(sorted(one.ref.label for one in self.staying if self._relies(one, entity.ref)))

    def _relies(self, export: Entity, grant: Ref) -> bool:
        """In doubt yes: what cannot be read may be this one. A disabled export relies on nothing."""
        if export.fields.get("isDisabled") is True:
            return False
        if not _may_be(export.fields.get("managedIdentity"), grant.name[2]):
            return False
        if grant.kind == "database_role":
            return grant.name[0] in databases_read(export, self._stored)
        table = self._observed.entities.get(Ref("external_table", (export.ref.name[0], str(export.fields.get("to")))))
        if table is None or table.fields.get("kind") == "sql":
            return False
        return any(_lies_in(str(one.get("uri")), grant.name[0]) for one in connections(table))


def _may_be(identity: Value, principal: str) -> bool:
    """Whether an export's identity may be a grant's principal; one that the spec does not name shows by its id."""
    if identity is None:
        return False
    unnamed = principal.startswith("aadapp=")
    return (
        isinstance(identity, Hidden)
        or principal.removeprefix("aadapp=") == identity
        or (unnamed and identity == SYSTEM)
    )


def _lies_in(uri: str, scope_id: str) -> bool:
    """Whether a storage URI may lie below an ARM scope (lower case)."""
    location = locate(uri)
    if location is None or "/storageaccounts/" not in scope_id:
        return location is not None
    account, _, below = scope_id.partition("/storageaccounts/")[2].partition("/")
    container = below.rpartition("/containers/")[2] if "/containers/" in below else location.container
    return account == location.account.lower() and container == location.container.lower()
