"""What the cluster may call: the callout policy and the list of allowed FQDNs.

("learn.microsoft.com, Callout policy" and "Restrict outbound access from your cluster".) What no rule
names follows the service's own: storage may be called, of SQL servers Azure's.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kxrecon.sandbox.scheduler.documents import policy
from kxrecon.sandbox.scheduler.sql_links import server_name
from kxrecon.sandbox.scheduler.verdicts import Broken, Subject

BUILT_IN = {
    "external_data": (r".*",),
    "sql": (r"[a-z0-9][a-z0-9\-]{0,61}[a-z0-9]?\.(database\.windows\.net|sql\.azuresynapse\.net)",),
}


def callouts(subject: Subject) -> str:
    """Every target's host may be called."""
    kind = "sql" if subject.target()["kind"] == "sql" else "external_data"
    for connection in subject.connections():
        host = server_name(str(connection["server"])) if kind == "sql" else (urlsplit(connection["uri"]).hostname or "")
        _check_policy(subject, kind, host)
        _check_outbound(subject, host)
    return "the cluster may call the target"


def _check_policy(subject: Subject, kind: str, host: str) -> None:
    rules = policy(subject.world.store, subject.uri, "cluster", "callout") or ()
    of_kind = [rule for rule in rules if str(rule.get("CalloutType", "")).lower() == kind]
    matching = [rule for rule in of_kind if _matches(str(rule.get("CalloutUriRegex", "")), host)]
    allowed = any(rule.get("CanCall") for rule in matching) or any(_matches(one, host) for one in BUILT_IN[kind])
    if not allowed or any(not rule.get("CanCall") for rule in matching):
        raise Broken(f"Callout to '{host}' of type '{kind}' is denied by the cluster's callout policy.")


def _matches(pattern: str, host: str) -> bool:
    try:
        return re.match(pattern, host, re.IGNORECASE) is not None
    except re.error:
        return False


def _check_outbound(subject: Subject, host: str) -> None:
    properties = subject.cluster.get("properties") or {}
    if str(properties.get("restrictOutboundNetworkAccess", "Disabled")).lower() != "enabled":
        return
    listed = {str(one).lower() for one in properties.get("allowedFqdnList") or ()}
    if not any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in listed):
        raise Broken(
            f"Callout to '{host}' is denied: outbound access is restricted and allowedFqdnList does not name it."
        )
