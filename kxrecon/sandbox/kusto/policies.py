"""Policies on cluster, database and table ("learn.microsoft.com, Policies overview").

``Policy`` is JSON text, or the text ``null`` when nothing is set at that level. Omitted fields of an altered
policy get the service's defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from kxrecon.sandbox.kusto import identities, permissions, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.errors import BadRequest, SyntaxRefused
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.store import Key

RESULT = columns("PolicyName:string, EntityName:string, Policy:string, ChildEntities:string, EntityType:string")
DOCUMENTED = columns("EntityName:string, Policies:string")
SHOWN = {
    "managed_identity": "ManagedIdentityPolicy",
    "ingestiontime": "IngestionTimePolicy",
    "retention": "RetentionPolicy",
    "caching": "CachingPolicy",
    "callout": "CalloutPolicy",
    "row_level_security": "RowLevelSecurityPolicy",
    "restricted_view_access": "RestrictedViewAccessPolicy",
}
LEVELS = {
    "managed_identity": ("cluster", "database"),
    "ingestiontime": ("table",),
    "retention": ("database", "table"),
    "caching": ("cluster", "database", "table"),
    "callout": ("cluster",),
    "row_level_security": ("table",),
    "restricted_view_access": ("table",),
}
MERGED = {"managed_identity", "retention", "callout"}
FORMS: dict[str, tuple[frozenset[str], ...]] = {
    "managed_identity": (frozenset({"json"}),),
    "callout": (frozenset({"json"}),),
    "ingestiontime": (frozenset({"bool"}),),
    "restricted_view_access": (frozenset({"bool"}),),
    "retention": (frozenset({"json"}),),
    "caching": (frozenset({"hot"}), frozenset({"hot", "hot_index"})),
    "row_level_security": (frozenset({"enable", "json"}), frozenset({"enable", "json", "properties"})),
}
MERGE_FORMS = {
    "retention": (
        frozenset({"json"}),
        frozenset({"softdelete"}),
        frozenset({"recoverability"}),
        frozenset({"softdelete", "recoverability"}),
    ),
}
FOREVER = "365000.00:00:00"


def read(session: Session, level: str, name: str, *entity: str) -> Any:
    """The policy's JSON at one level, None when unset there."""
    document = session.store.get("policy", *_key(session, level, name, *entity))
    if document is None:
        return {"IsEnabled": True} if name == "ingestiontime" else None  # on by default for every table
    return document["policy"]


def _key(session: Session, level: str, name: str, *entity: str) -> Key:
    place = {"cluster": (), "database": (session.database,), "table": (session.database, *entity)}[level]
    return (session.uri, level, *place, name)


def _check(name: str, level: str, given: dict[str, Any] | None = None, merge: bool = False) -> None:
    """Refuse combinations that Kusto's grammar does not have."""
    if level not in LEVELS[name] or (merge and name not in MERGED):
        raise SyntaxRefused(f"Syntax error: there is no such command for policy '{name}' on a {level}")
    if given is not None:
        forms = MERGE_FORMS.get(name, FORMS[name]) if merge else FORMS[name]
        extra = {"windows", "table", "tables", "member", "database", "policy"}
        if frozenset(given) - extra not in forms or ("windows" in given and name != "caching"):
            raise SyntaxRefused(f"Syntax error: that is not how policy '{name}' is written")


# ---- what the caller gave, as JSON
def _json(text: str) -> Any:
    """JSON, or JSON with single quotes as Microsoft's pages write it inside a double-quoted literal."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        return json.loads(text.replace("'", '"'))
    except json.JSONDecodeError as problem:
        raise BadRequest(f"The policy is not valid JSON: {problem}") from problem


def _retention(session: Session, given: dict[str, Any], before: Any, merge: bool) -> Any:
    stated = _object(given["json"].value) if "json" in given else {}
    if "softdelete" in given:
        stated["SoftDeletePeriod"] = values.clock(given["softdelete"].value)
    if "recoverability" in given:
        stated["Recoverability"] = given["recoverability"].capitalize()
    policy = {"SoftDeletePeriod": FOREVER, "Recoverability": "Enabled"} | ((before or {}) if merge else {}) | stated
    if set(policy) - {"SoftDeletePeriod", "Recoverability"} or policy["Recoverability"] not in ("Enabled", "Disabled"):
        raise BadRequest("The retention policy is not valid")
    try:
        policy["SoftDeletePeriod"] = values.clock(values.ticks(str(policy["SoftDeletePeriod"])))
    except ValueError as problem:
        raise BadRequest(f"The retention policy is not valid: {problem}") from problem
    return policy


def _object(text: str) -> dict[str, Any]:
    stated = _json(text)
    if not isinstance(stated, dict):
        raise BadRequest("The policy must be a JSON object")
    return stated


def _caching(session: Session, given: dict[str, Any], before: Any, merge: bool) -> Any:
    hot = {"Value": values.clock(given["hot"].value)}
    index = {"Value": values.clock(given["hot_index"].value)} if "hot_index" in given else hot
    windows = [{"MinValue": low, "MaxValue": high} for low, high in given.get("windows", [])]
    return {"DataHotSpan": hot, "IndexHotSpan": index} | ({"HotWindows": windows} if windows else {})


def _flag(session: Session, given: dict[str, Any], before: Any, merge: bool) -> Any:
    return {"IsEnabled": given["bool"] == "true"}


def _row_level(session: Session, given: dict[str, Any], before: Any, merge: bool) -> Any:
    """Refused on a table that an export reads without impersonation ("Row level security: limitations")."""
    table = given.get("member") or given["table"]
    for export in session.all("continuous_export"):
        scoped = [session.database_name, table] in export["tables"]
        if given["enable"] == "enable" and scoped and not export["properties"].get("managedIdentity"):
            raise BadRequest(
                f"Row level security cannot be enabled: continuous export '{export['name']}' uses the table"
            )
    return {"IsEnabled": given["enable"] == "enable", "Query": given["json"].value}


def _callout(session: Session, given: dict[str, Any], before: Any, merge: bool) -> Any:
    """Entries are identified by type and pattern; a merge replaces equal ones."""
    stated = _json(given["json"].value)
    if not isinstance(stated, list) or not all(isinstance(item, dict) for item in stated):
        raise BadRequest("The callout policy must be an array of objects")
    for item in stated:
        if not {"CalloutType", "CalloutUriRegex", "CanCall"} <= set(item):
            raise BadRequest("A callout needs CalloutType, CalloutUriRegex and CanCall")
    merged = {(item["CalloutType"], item["CalloutUriRegex"]): item for item in (before or []) if merge}
    merged |= {(item["CalloutType"], item["CalloutUriRegex"]): item for item in stated}
    return list(merged.values())


MAKE: dict[str, Callable[[Session, dict[str, Any], Any, bool], Any]] = {
    "retention": _retention,
    "caching": _caching,
    "ingestiontime": _flag,
    "restricted_view_access": _flag,
    "row_level_security": _row_level,
    "callout": _callout,
    "managed_identity": lambda session, given, before, merge: identities.policy(
        session, _json(given["json"].value), before, merge
    ),
}


# ---- answers
def _entity_name(session: Session, level: str, entity: tuple[str, ...]) -> str:
    if level == "cluster":
        return ""
    return ".".join(f"[{part}]" for part in (session.database_name, *entity))


def _row(session: Session, level: str, name: str, policy: Any, entity: tuple[str, ...] = ()) -> list[Any]:
    text = "null" if policy is None else mark(policy)
    inherited = level == "database" and name != "managed_identity"
    children = mark([d["name"] for d in session.all("table")]) if inherited else ""
    return [SHOWN[name], _entity_name(session, level, entity), text, children, level.capitalize()]


def _answer(session: Session, name: str, rows: Iterable[list[Any]]) -> Answer:
    if name == "managed_identity" and session.switches.policy_column == "Policies":
        return answer(DOCUMENTED, [[row[1], row[2]] for row in rows])
    return answer(RESULT, rows)


# ---- cluster and database
def _level_show(session: Session, level: str, name: str) -> Answer:
    return _answer(session, name, [_row(session, level, name, read(session, level, name))])


def cluster_show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show cluster policy P``."""
    _check(given["policy"], "cluster")
    permissions.require_cluster(session, permissions.CLUSTER_WATCH, "ClusterPolicyShow")
    return _level_show(session, "cluster", given["policy"])


def database_show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database [D | *] policy P``."""
    name = given["policy"]
    _check(name, "database")
    if "star" in given:
        if name == "managed_identity":
            raise SyntaxRefused("Syntax error: policy 'managed_identity' has no wildcard form")
        scopes = [session.within(key[1]) for key, _ in session.store.all("database", session.uri)]
    else:
        scopes = [session.within(given["database"]) if "database" in given else session]
    rows = []
    for scope in scopes:
        permissions.require(scope, permissions.READ, "DatabasePolicyShow")
        rows.append(_row(scope, "database", name, read(scope, "database", name)))
    return _answer(session, name, rows)


def _alter(session: Session, level: str, given: dict[str, Any], merge: bool, *entity: str) -> Answer:
    name = given["policy"]
    before = read(session, level, name, *entity)
    policy = MAKE[name](session, given, before, merge)
    session.store.put("policy", _key(session, level, name, *entity), {"policy": policy})
    session.record(f"ALTER-{level.upper()}-POLICY", f"{name}", before, policy)
    return _answer(session, name, [_row(session, level, name, policy, entity)])


def _delete(session: Session, level: str, name: str, *entity: str) -> Answer:
    before = read(session, level, name, *entity)
    session.store.put("policy", _key(session, level, name, *entity), {"policy": None})
    session.record(f"DELETE-{level.upper()}-POLICY", name, before, None)
    return _answer(session, name, [_row(session, level, name, None, entity)])


def _cluster_write(session: Session, given: dict[str, Any], merge: bool) -> Answer:
    _check(given["policy"], "cluster", given, merge)
    permissions.require_cluster(session, permissions.CLUSTER_ADMIN, "ClusterPolicyAlter")
    return _alter(replace(session, database=""), "cluster", given, merge)


def _database_write(session: Session, given: dict[str, Any], merge: bool) -> Answer:
    name = given["policy"]
    _check(name, "database", given, merge)
    session = session.within(given["database"]) if "database" in given else session
    if name == "managed_identity":
        permissions.require_cluster(session, permissions.CLUSTER_ADMIN, "DatabasePolicyAlter")
    permissions.require(session, permissions.ADMIN, "DatabasePolicyAlter")
    return _alter(session, "database", given, merge)


def cluster_delete(session: Session, given: dict[str, Any]) -> Answer:
    """``.delete cluster policy P``."""
    _check(given["policy"], "cluster")
    permissions.require_cluster(session, permissions.CLUSTER_ADMIN, "ClusterPolicyDelete")
    return _delete(replace(session, database=""), "cluster", given["policy"])


def database_delete(session: Session, given: dict[str, Any]) -> Answer:
    """``.delete database D policy P``: breaks every flow that relied on it."""
    _check(given["policy"], "database")
    session = session.within(given["database"])
    if given["policy"] == "managed_identity":
        permissions.require_cluster(session, permissions.CLUSTER_ADMIN, "DatabasePolicyDelete")
    permissions.require(session, permissions.ADMIN, "DatabasePolicyDelete")
    return _delete(session, "database", given["policy"])


# ---- tables
def _target(session: Session, given: dict[str, Any]) -> tuple[Session, str]:
    """The table meant: ``T``, or ``D.T``."""
    if "member" in given:
        return session.within(given["table"]), given["member"]
    return session, given["table"]


def table_show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T | * policy P``: what is set at the table's own level."""
    name = given["policy"]
    _check(name, "table")
    if "star" in given:
        permissions.require(session, permissions.READ, "TablePolicyShow")
        found = {key[3]: d["policy"] for key, d in session.store.all("policy", session.uri, "table", session.database)
                 if key[-1] == name}  # fmt: skip
        default = {"IsEnabled": True} if name == "ingestiontime" else None
        tables = [str(document["name"]) for document in session.all("table")]
        return _answer(session, name, [_row(session, "table", name, found.get(t, default), (t,)) for t in tables])
    session, table = _target(session, given)
    session.get("table", table)
    permissions.require(session, permissions.READ, "TablePolicyShow")
    return _answer(session, name, [_row(session, "table", name, read(session, "table", name, table), (table,))])


def _table_write(session: Session, given: dict[str, Any], merge: bool) -> Answer:
    name = given["policy"]
    _check(name, "table", given, merge)
    session, first = _target(session, given) if "table" in given else (session, "")
    names = given.get("tables") or [first]
    if len(names) > 1 and name == "row_level_security":
        raise SyntaxRefused("Syntax error: policy 'row_level_security' is set on one table at a time")
    last: Answer | None = None
    for table in names:
        session.get("table", table)
        least = permissions.INGEST if name == "ingestiontime" else permissions.USE
        permissions.require_entity(session, "table", table, "TablePolicyAlter", least)
        last = _alter(session, "table", given, merge, table)
    if last is None:
        raise SyntaxRefused("Syntax error: no table was named")
    return last


def table_delete(session: Session, given: dict[str, Any]) -> Answer:
    """``.delete table T policy P``: back to what is inherited."""
    _check(given["policy"], "table")
    session, table = _target(session, given)
    session.get("table", table)
    permissions.require_entity(session, "table", table, "TablePolicyDelete")
    return _delete(session, "table", given["policy"], table)


COMMANDS = {
    "cluster_policy_show": cluster_show,
    "database_policy_show": database_show,
    "table_policy_show": table_show,
    "cluster_policy_set": lambda session, given: _cluster_write(session, given, False),
    "cluster_policy_merge": lambda session, given: _cluster_write(session, given, True),
    "cluster_policy_delete": cluster_delete,
    "database_policy_set": lambda session, given: _database_write(session, given, False),
    "database_policy_merge": lambda session, given: _database_write(session, given, True),
    "database_policy_delete": database_delete,
    "table_policy_set": lambda session, given: _table_write(session, given, False),
    "table_policy_merge": lambda session, given: _table_write(session, given, True),
    "table_policy_delete": table_delete,
}
