"""What only a proof asks for: the callout policy, table policies, storage accounts, failures of failed exports.

("learn.microsoft.com, Callout policy"; ".show continuous-export failures"; Storage Accounts - Get Properties.)
The number of these reads depends on databases, accounts and failed exports, never on healthy ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kxrecon.kinds.kusto.table import ACCESS, INGESTION_TIME, policy_read
from kxrecon.kql import identifier
from kxrecon.model import Answers, Entity, Failure, Hidden, Read, Reading, Ref, Table
from kxrecon.observe import DATABASES, database_names
from kxrecon.scope import Scope
from kxrecon.storage_uri import Location, locate
from kxrecon.verify import first_run
from kxrecon.verify.first_run import instant

CALLOUT = Read("kusto", "", ".show cluster policy callout")
TABLE_POLICIES = (INGESTION_TIME, *ACCESS)


def failures(ref: Ref) -> Read:
    """The failures of one export in the last 14 days."""
    return Read("kusto", ref.name[0], f".show continuous-export {identifier(ref.name[1])} failures")


def account(resource_id: str) -> Read:
    """A storage account with its firewall."""
    subscription = resource_id.strip("/").lower().split("/")[1]
    return Read("arm", subscription, "storageAccounts.get", (("resourceId", resource_id),))


def acl(location: Location, directory: str) -> Read:
    """The access control list of one directory."""
    return Read("adls", location.dfs_host, "acl.get", (("filesystem", location.container), ("path", directory)))


def cluster_read(scope: Scope) -> Read | None:
    """The cluster's ARM resource; None if the spec does not say which."""
    if not scope.cluster_id:
        return None
    subscription = scope.cluster_id.strip("/").lower().split("/")[1]
    return Read("arm", subscription, "clusters.get", (("resourceId", scope.cluster_id),))


def cluster(answers: Answers, scope: Scope) -> Mapping[str, Any] | Failure | None:
    """The cluster's ARM resource as answered."""
    asked = cluster_read(scope)
    answer = answers.get(asked) if asked else None
    return answer if isinstance(answer, Mapping | Failure) else None


def part(answer: Any, name: str) -> Mapping[str, Any]:
    """An object inside an answer; empty if there is none."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def databases(answers: Answers) -> frozenset[str] | None:
    """The databases of the cluster, lower-case; None if they could not be listed."""
    names = database_names(answers.get(DATABASES))
    return None if names is None else frozenset(name.lower() for name in names)


def has_failed(reading: Reading | None) -> bool:
    """Whether an export's last run failed."""
    result = str(reading.values.get("lastRunResult") or "") if reading else ""
    return "fail" in result.lower()


def wanted(scope: Scope, readings: Mapping[Ref, Reading], of: Iterable[Ref]) -> list[Read]:
    """All questions of this module that can be named after the first survey."""
    asked = [CALLOUT]
    names = sorted({ref.name[0] for ref in of} | set(scope.databases))
    asked += [policy_read(database, policy) for database in names for policy in TABLE_POLICIES]
    asked += [account(one) for one in sorted(set(accounts(scope).values()))]
    asked += [failures(ref) for ref in of if has_failed(readings.get(ref))]
    for name in sorted({ref.name[0] for ref in of if never_ran(readings.get(ref))}):
        asked += [first_run.journal(name), first_run.now(name)]
    return asked


def never_ran(reading: Reading | None) -> bool:
    """Whether an export is there and has no run to be judged by."""
    return reading is not None and not reading.values.get("lastRunTime")


def enabled_since(answers: Answers, reading: Reading) -> tuple[datetime | None, datetime | None]:
    """Since when an export that never ran is enabled, and the cluster's time; None for what is not known."""
    database = reading.ref.name[0]
    answer = answers.get(first_run.now(database))
    clock = instant(answer.rows[0][0]) if isinstance(answer, Table) and answer.rows and answer.rows[0] else None
    if clock is None:
        return None, None
    return first_run.since(reading, answers.get(first_run.journal(database)), clock), clock


def accounts(scope: Scope) -> dict[str, str]:
    """Storage host → ARM id of every account that a target names and that is known."""
    found: dict[str, str] = {}
    for target in scope.targets.values():
        place = locate(str(target.doc.get("url") or ""))
        if place is None:
            continue
        stated = str(target.doc.get("resourceId") or "").partition("/blobServices/")[0].rstrip("/")
        resource_id = stated or scope.directory.accounts.get(place.host, "")
        if resource_id:
            found[place.host] = resource_id
    return found


def callout_rules(answers: Answers) -> list[Mapping[str, Any]] | Failure:
    """The callout policy's rules; empty if nobody set one."""
    answer = answers.get(CALLOUT)
    if isinstance(answer, Failure):
        return answer
    policy = _policy(answer) if isinstance(answer, Table) else None
    return [rule for rule in policy if isinstance(rule, Mapping)] if isinstance(policy, list) else []


def _policy(answer: Table) -> Any:
    column = answer.index("Policy", "Policies")
    return json_of(answer.rows[0][column]) if answer.rows and column is not None else None


def json_of(cell: Any) -> Any:
    """The value of a cell that holds JSON; None if it holds none."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell) if cell else None
    except ValueError:
        return None


def enabled_tables(answers: Answers, database: str, policy: str) -> dict[str, bool] | Failure:
    """Table → whether a policy is enabled on it; a table that the answer leaves out is not told."""
    answer = answers.get(policy_read(database, policy))
    if not isinstance(answer, Table):
        return answer if isinstance(answer, Failure) else Failure("failed", "it was not asked")
    name, cell = answer.index("EntityName"), answer.index("Policy", "Policies")
    if name is None or cell is None:
        return Failure("failed", "the answer has other columns than documented")
    return {_bare(str(row[name])): _is_on(json_of(row[cell])) for row in answer.rows}


def _bare(name: str) -> str:
    return name.rpartition("].[")[2].strip("[]'\"")


def _is_on(policy: Any) -> bool:
    return bool(policy.get("IsEnabled")) if isinstance(policy, Mapping) else policy is True


def last_failure(answers: Answers, ref: Ref, reading: Reading | None) -> str:
    """What the service says about the last run of an export that failed; empty if it did not fail."""
    if not has_failed(reading):
        return ""
    answer = answers.get(failures(ref))
    rows = answer.records() if isinstance(answer, Table) else []
    newest = max(rows, key=lambda row: str(row.get("Timestamp") or ""), default=None)
    return str(newest.get("Details") or "") if newest else "the last run failed"


def uris(table: Entity) -> Sequence[str]:
    """The storage addresses of an external table."""
    found = (one.get("uri") for one in table.fields.get("connections") or ())
    return [uri for uri in found if uri and not isinstance(uri, Hidden)]
