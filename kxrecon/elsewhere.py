"""The cluster's other databases: what a spec does not speak for, and what exports there may rely on all the same.

Their exports use the same identities, accounts and SQL databases, and may read the spec's own databases. They are read
only when something goes that they may need (``neighbours.py``), and nothing there is ever changed.
"""

from __future__ import annotations

from kxrecon.model import Gap, Ref
from kxrecon.principals import parse
from kxrecon.scope import Scope

UNLISTED = "database"  # the kind of a gap: not all databases of the cluster could be seen
_EVERYWHERE = frozenset({"cluster_identity", "cluster_role", "role_assignment", "acl_entry", "sql_user", "sql_grant"})
_READ_FROM = frozenset({"database_role", "function", "table"})  # what a query of another database reads, and by what
_PEOPLE = frozenset({"aaduser", "aadgroup", "msauser"})
PRINCIPAL = {
    "cluster_identity": 0,
    "cluster_role": 1,
    "managed_identity_policy": -2,
    "database_role": 2,
    "role_assignment": 2,
    "acl_entry": 3,
    "sql_user": 2,
    "sql_grant": 2,
}
"""Where the name of an entity says whose it is."""


def speaks_for(ref: Ref, scope: Scope) -> bool:
    """Whether an observed entity lies where the spec looks by itself: anything but what other databases showed."""
    if ref.kind in _EVERYWHERE or ref.kind in ("container", UNLISTED) or ref.name[:1] == ("cluster",):
        return ref.kind != UNLISTED
    database = ref.name[1] if ref.kind == "managed_identity_policy" else ref.name[0]
    if database not in scope.databases:
        return False
    if ref.kind not in ("continuous_export", "external_table"):
        return True
    sections = ("continuousExports",) if ref.kind == "continuous_export" else ("continuousExports", "externalTables")
    return any(("databases", database, section) in scope.declared for section in sections)


def concerns(ref: Ref, scope: Scope) -> bool:
    """Whether an export of another database may rely on an entity; what people have, no export has."""
    shared = ref.kind in _EVERYWHERE or ref.kind in _READ_FROM
    if ref.kind == "managed_identity_policy":
        shared = ref.name[0] == "cluster"
    return shared and not _is_persons(ref, scope)


def _is_persons(ref: Ref, scope: Scope) -> bool:
    at = PRINCIPAL.get(ref.kind)
    if at is None:
        return False
    fqn = parse(scope.principals.get(ref.name[at], ref.name[at]))
    return fqn is not None and fqn.prefix in _PEOPLE


def hides(gap: Gap, ref: Ref, scope: Scope) -> bool:
    """Whether what could not be read there may matter to ``ref``: of another database, and to a role on all of them,
    only if exports may rely on it."""
    here = gap.kind != UNLISTED and (not gap.prefix or speaks_for(Ref(gap.kind, gap.prefix), scope))
    return (here and ref.kind != "cluster_role") or concerns(ref, scope)
