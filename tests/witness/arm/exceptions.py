"""Where an exchange may differ from the contract that judges it, and why. Nothing else may."""

from __future__ import annotations

import re

from .contract import Finding

# (operation, part, words of the finding) as patterns → reason
EXCEPTIONS: tuple[tuple[str, str, str, str], ...] = (
    (
        r"Clusters_Update",
        "request|request in 2025-02-14",
        r"None is not of type 'object'",
        "removing a user-assigned identity is documented as null in the map; the contract's schema forgets it",
    ),
    (
        r"ClusterPrincipalAssignments_.*",
        "request",
        r"'AllDatabasesMonitor' is not one of",
        "a role of 2025-02-14, whose deployment schema judges it too",
    ),
    (
        r"ClusterPrincipalAssignments_.*",
        "response",
        r"'AllDatabasesMonitor' is not one of",
        "a role of 2025-02-14: of answers only the file derived from the SDK knows it (no independent witness)",
    ),
    (
        r"StorageAccounts_.*",
        "response",
        r"'\w+(, \w+)+' is not one of \['None', 'Logging', 'Metrics', 'AzureServices'\]",
        "networkAcls.bypass is described as any combination of its values; its enum has the single ones only",
    ),
    (
        r"(BlobContainers|BlobServices)_.*",
        "status",
        r"status (4\d\d|5\d\d) is not declared",
        "blob.json declares no default response, every error of the service is undeclared in it",
    ),
    (
        r"StorageAccounts_(GetProperties|List|ListByResourceGroup)",
        "status",
        r"status (4\d\d|5\d\d) is not declared",
        "storage.json declares no default response for these reads",
    ),
    (
        r"POST /+providers/Microsoft.ResourceGraph/resources",
        "operation",
        r"no contract has this operation",
        "Resource Graph has no contract file here; its shape is held by its SDK's own deserialiser",
    ),
)


def excuse(finding: Finding) -> str | None:
    """The recorded reason for a disagreement; None if there is none."""
    for operation, part, words, reason in EXCEPTIONS:
        if (
            re.fullmatch(operation, finding.operation)
            and re.fullmatch(part, finding.part)
            and re.search(words, finding.what)
        ):
            return reason
    return None
