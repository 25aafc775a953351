"""The link out of the cluster: its callout policy and, where outbound traffic is restricted, its allowed FQDNs.

("learn.microsoft.com, Callout policy"; "Restrict outbound access from your cluster".)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kxrecon import kql
from kxrecon.model import Failure, Hidden
from kxrecon.storage_uri import locate
from kxrecon.verdicts import Fix, Link, broken, holds, unknown
from kxrecon.verify import fixes, reads
from kxrecon.verify.known import Subject

Connection = Mapping[str, Any]
# Of SQL servers only Azure's may be called as long as no rule says more; storage may be called everywhere.
_SQL = re.compile(
    r"[a-z0-9][a-z0-9-]*\.(database\.(windows|chinacloudapi|usgovcloudapi)\.\w+|sql\.azuresynapse\.net)\Z"
)


def callouts(subject: Subject, connection: Connection) -> Link:
    """The cluster may call the target's host."""
    sql = subject.table is not None and subject.table.fields.get("kind") == "sql"
    host = _host(connection, sql)
    if not host:
        return unknown("not reached: the target's host is masked")
    kind = "sql" if sql else "external_data"
    outbound = _outbound(subject, host)
    if outbound is not None:
        return outbound
    rules = reads.callout_rules(subject.known.answers)
    if isinstance(rules, Failure):
        if not subject.failed_with("callout"):
            return unknown(f"the callout policy could not be read ({fixes.words(rules)})")
        return broken(f"the service says: {subject.failure}", _allow(kind, re.escape(host)))
    return _judged(rules, kind, host)


def _host(connection: Connection, sql: bool) -> str:
    if sql:
        server = connection.get("server")
        return "" if isinstance(server, Hidden) else str(server).partition(",")[0].lower()
    place = locate(str(connection.get("uri") or ""))
    return place.host if place else ""


def _judged(rules: list[Mapping[str, Any]], kind: str, host: str) -> Link:
    matching = [rule for rule in rules if _matches(rule, kind, host)]
    denied = next((rule for rule in matching if not rule.get("CanCall")), None)
    if denied is not None:
        pattern = str(denied.get("CalloutUriRegex"))
        return broken(f"the callout policy forbids {kind} calls to {pattern}", _allow(kind, pattern))
    if matching or kind == "external_data" or _SQL.match(host):
        return holds(f"the cluster may call {host}")
    return broken(f"no rule of the callout policy allows {kind} calls to {host}", _allow(kind, re.escape(host)))


def _matches(rule: Mapping[str, Any], kind: str, host: str) -> bool:
    if str(rule.get("CalloutType") or "").lower() != kind:
        return False
    try:
        return re.match(str(rule.get("CalloutUriRegex") or ""), host, re.IGNORECASE) is not None
    except re.error:
        return False


def _allow(kind: str, pattern: str) -> Fix:
    """A rule of the same type and pattern replaces the one that is there."""
    rule = [{"CalloutType": kind, "CalloutUriRegex": pattern, "CanCall": True}]
    return Fix("kusto", f".alter-merge cluster policy callout {kql.json_literal(rule)}")


def _outbound(subject: Subject, host: str) -> Link | None:
    """What restricted outbound access says about a host; None if nothing stands against it."""
    answer = subject.known.cluster
    properties = (answer.get("properties") or {}) if isinstance(answer, Mapping) else {}
    if str(properties.get("restrictOutboundNetworkAccess") or "Disabled").lower() != "enabled":
        return None
    listed = [str(one) for one in properties.get("allowedFqdnList") or ()]
    if any(host == one.lower() or (one.startswith("*.") and host.endswith(one[1:].lower())) for one in listed):
        return None
    patch = fixes.cluster_patch(subject.known, {"properties": {"allowedFqdnList": [*listed, host]}})
    return broken(f"outbound access is restricted, and allowedFqdnList does not name {host}", Fix("shell", patch))
