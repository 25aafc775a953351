"""All probes in the order in which they are asked, and the open questions that none of them settles."""

from __future__ import annotations

from kxrecon.probe import altered, database, exports, rights, tables
from kxrecon.probe.model import Probe
from kxrecon.probed import Unprobed

PROBES: tuple[Probe, ...] = (
    *rights.PROBES,
    *database.PROBES,
    *tables.PROBES,
    *altered.PROBES,
    *exports.PROBES,
)

UNPROBED: tuple[Unprobed, ...] = tuple(
    Unprobed(*row)
    for row in (
        (
            "read-your-writes",
            "Does .show always see a change that was answered before?",
            "one look that does is no proof; kxrecon reads again, with patience, after each apply",
        ),
        (
            "script-command-in-query",
            "How does .execute database script read a query with a line that begins like a command?",
            "kxrecon sends one command in each request",
        ),
        (
            "policy-wildcards-ungrammatical",
            "Are there wildcards for streamingingestion, auto_delete and encoding?",
            "Microsoft's grammar has none, and kxrecon asks for none of them",
        ),
        (
            "least-rights",
            "Which role do .show cluster, .show diagnostics and pending continuous-exports need?",
            "whoever may run the probes has more than it; kxrecon permissions names what is documented",
        ),
        (
            "export-without-identity",
            "As whom does an export run that has no managed identity?",
            "it needs a target with a key; kxrecon's exports have an identity unless the spec says otherwise",
        ),
        (
            "arm-principal-assignments",
            "Do roles given by .add database show up as principalAssignments of ARM?",
            "kxrecon reads and writes database roles by KQL only",
        ),
        (
            "arm-codes",
            "Which codes have Microsoft.Kusto's 403, 409 and 412, and may a PATCH leave out location?",
            "to see them a shared cluster has to be changed while somebody else changes it",
        ),
        (
            "cluster-identity-case",
            "In which letter case are identities listed on the cluster?",
            "resource ids are compared without it",
        ),
        (
            "network",
            "Do exports pass a storage firewall as a trusted service, by resourceAccessRules, by an MPE?",
            "it needs a network set up for it; verify tells what the firewall says",
        ),
        (
            "acl-bits",
            "Which bits of a Data Lake ACL does an export need that has no role?",
            "it takes a lake with directories for it; kxrecon gives those of the documentation",
        ),
        (
            "sql-rights",
            "Does an export to SQL need SELECT or ALTER, and how long are SIDs of logins?",
            "it takes a SQL database; kxrecon gives what is documented, and compares sixteen bytes",
        ),
        (
            "role-propagation",
            "How long can a role on a container take to have effect?",
            "it is a matter of minutes to hours; apply --wait-healthy waits",
        ),
        (
            "policy-names",
            "What is the PolicyName of each policy in .show … policy?",
            "kxrecon asks for one policy at a time, and does not read it",
        ),
        (
            "immutable-storage",
            "Can delta tables be exported to a container with an immutability policy?",
            "it takes such a container, which cannot be emptied again",
        ),
        (
            "arm-lists",
            "Do lists of role assignments and accounts hold all that single reads do?",
            "kxrecon asks for the assignments of one principal, and reads each account by itself",
        ),
        (
            "deny-and-locks",
            "What does a read-only lock or a deny assignment answer to a role assignment?",
            "it takes a locked resource; the service's words are shown",
        ),
    )
)
