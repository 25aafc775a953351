"""What the spec takes away: what it does not name, in the sections and roles where it speaks for all.

Only what can be told to be needless: while something could not be read that may need it, it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from kxrecon.elsewhere import UNLISTED, hides, speaks_for
from kxrecon.model import Entity, Gap, Hidden, Ref, State, Value
from kxrecon.scope import LEDGER, SYSTEM, Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import Stored, connections, reads

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
# Who may need an entity of a kind: it is not pruned while one of these could not be read.
_GRANTED = ("continuous_export", "external_table", "function", "cluster_identity", "container", UNLISTED)
NEEDED_BY: Mapping[str, tuple[str, ...]] = {
    "cluster_identity": ("continuous_export", "external_table", "managed_identity_policy", UNLISTED),
    "cluster_role": ("continuous_export", UNLISTED),
    "external_table": ("continuous_export",),
    "function": ("continuous_export", "function", UNLISTED),
    "table": ("continuous_export", "function", UNLISTED),
    **dict.fromkeys(ONLY_OWNED, _GRANTED),
}


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
        return self._asked(entity) and not self.unseen(entity.ref)

    def kept(self, entity: Entity) -> str:
        """Why an entity stays that would go if everything could be read; empty if that is not so."""
        return self.unseen(entity.ref) if self._asked(entity) else ""

    def unseen(self, ref: Ref) -> str:
        """What could not be read and may need this entity; empty if all of it was."""
        wanted = NEEDED_BY.get(ref.kind, ())
        gap = next((gap for gap in self._gaps if gap.kind in wanted and hides(gap, ref, self._scope)), None)
        if gap is not None:
            return f"{_unread(gap)} ({gap.failure.message})"
        person = any(part.startswith(("aaduser=", "aadgroup=")) for part in ref.name)
        if ref.kind in ONLY_OWNED and not person and self._stranger is not None:
            return f"the ids of the identity {self._stranger} could not be read"
        return ""

    @cached_property
    def _gaps(self) -> tuple[Gap, ...]:
        return tuple(gap for gap in self._observed.gaps if gap.symbol is None)

    @cached_property
    def _stranger(self) -> str | None:
        """An identity of the spec that any application which a service shows might be."""
        known = self._scope.directory.knows
        return next((symbol for symbol in self._scope.identities if not known(symbol)), None)

    def _asked(self, entity: Entity) -> bool:
        ref = entity.ref
        if not speaks_for(ref, self._scope):
            return False
        if ref.kind == "database_role" and ref.name[:2] in self._exact:
            return True
        if ref.kind == "cluster_role" and ref.name[:1] in self._exact_cluster:
            return True
        if ref.kind == "table" and ref.name[1] == LEDGER:
            return False  # no spec states it, and other specs may keep theirs in it
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
        return Stored(self._observed, cluster=self._scope.cluster_uri)

    def users(self, entity: Entity) -> tuple[str, ...]:
        """The exports that stay and would stop without this grant; empty for what is no grant with a mark."""
        if entity.ref.kind not in ("database_role", "role_assignment"):
            return ()
        return tuple(sorted(one.ref.label for one in self.staying if self._relies(one, entity.ref)))

    def _relies(self, export: Entity, grant: Ref) -> bool:
        """In doubt yes: what cannot be read may be this one. A disabled export relies on nothing."""
        if export.fields.get("isDisabled") is True:
            return False
        if not may_be(export.fields.get("managedIdentity"), grant.name[2]):
            return False
        if grant.kind == "database_role":
            read = reads(export, self._stored)
            return grant.name[0] in read.databases or bool(read.open)
        table = self._observed.entities.get(Ref("external_table", (export.ref.name[0], str(export.fields.get("to")))))
        if table is None or table.fields.get("kind") == "sql":
            return False
        return any(lies_in(str(one.get("uri")), grant.name[0]) for one in connections(table))


def _unread(gap: Gap) -> str:
    if gap.kind == UNLISTED:
        return "not all databases of the cluster could be seen"
    return f"{gap.kind} {'/'.join(gap.prefix)}".rstrip() + " could not be read"


def may_be(identity: Value, principal: str) -> bool:
    """Whether an export's identity may be a grant's principal; one that the spec does not name shows by its id."""
    if identity is None:
        return False
    unnamed = principal.startswith("aadapp=")
    return (
        isinstance(identity, Hidden)
        or principal.removeprefix("aadapp=") == identity
        or (unnamed and identity == SYSTEM)
    )


def lies_in(uri: str, scope_id: str) -> bool:
    """Whether a storage URI may lie below an ARM scope (lower case); the names decide, no account has to be known."""
    location = locate(uri)
    if location is None or "/storageaccounts/" not in scope_id:
        return location is not None
    account, _, below = scope_id.partition("/storageaccounts/")[2].partition("/")
    container = below.rpartition("/containers/")[2] if "/containers/" in below else location.container
    return account == location.account.lower() and container == location.container.lower()
