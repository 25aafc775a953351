"""What entities are called when people read of them: a role by its name, a resource by the end of its id.

``Ref.label`` is the name that ``--allow`` and ``ignore:`` take; this is the one for reading.
"""

from __future__ import annotations

from kxrecon.kinds import NAMES
from kxrecon.kinds.arm._roles import NAMES as ROLES
from kxrecon.model import Ref


def called(ref: Ref) -> str:
    """An entity with its kind: ``role_assignment contosolake/archive Storage Blob Data Contributor system``."""
    return f"{ref.kind} {name(ref)}"


def name(ref: Ref) -> str:
    """An entity without its kind, with the database or account that it is in."""
    if ref.kind == "role_assignment":
        scope, role, principal = ref.name
        return f"{resource(scope)} {ROLES.get(role, role)} {_short(principal)}"
    if ref.kind in ("acl_entry", "sql_grant", "sql_user"):
        return f"{place(ref)}: {within(ref)}"
    return "/".join(map(_short, ref.name))


def within(ref: Ref) -> str:
    """The entity's name below the heading of its place."""
    if ref.kind == "role_assignment":
        return name(ref)
    plane = NAMES.get(ref.kind, "")
    if ref.kind == "acl_entry":
        _, container, path, principal = ref.name
        return f"{container}{path} {_short(principal)}"
    cut = {"arm": 0, "adls": 1, "sql": 2}.get(plane, 1)
    if ref.kind == "managed_identity_policy":
        cut = 2 if ref.name[0] == "database" else 1
    return " ".join(map(_short, ref.name[cut:]))


def place(ref: Ref) -> str:
    """The heading under which a person looks for an entity: its plane, or its database."""
    plane = NAMES.get(ref.kind, "")
    names = ref.name
    if plane == "arm":
        return "Azure Resource Manager"
    if plane == "adls":
        return f"Data Lake {names[0]}"
    if plane == "sql":
        return f"SQL {'/'.join(names[:2])}"
    if ref.kind == "managed_identity_policy":
        return f"database {names[1]}" if names[0] == "database" else "Kusto cluster"
    return f"database {names[0]}"


def resource(resource_id: str) -> str:
    """The last names of a resource id: ``contosolake/archive`` of a container's; the id where it has no such names."""
    parts = resource_id.strip("/").split("/")
    named = zip(parts[6::2], parts[7::2], strict=False)
    return "/".join(one for kind, one in named if kind.lower() != "blobservices") or resource_id


def _short(part: str) -> str:
    """An identity that the spec does not name stands with its resource id."""
    return resource(part) if part.startswith("/subscriptions/") else part
