"""verify calls nothing broken that works: on generated estates, and for every way in which a link can be satisfied."""

from __future__ import annotations

import os
import uuid

import pytest

from kxrecon.sandbox.arm.builtin import BY_NAME
from kxrecon.sandbox.arm.ids import normal
from kxrecon.sandbox.scheduler import why
from kxrecon.verify import chains, survey
from tests.laws.conftest import country, law  # noqa: F401  a fixture
from tests.laws.estates import estates

from .conftest import DATABASE, URI

EXAMPLES = int(os.environ.get("KXRECON_ESTATES", "12"))


def stopped_at(ground):
    """Label → the link at which the sandbox's scheduler would stop; "" if nowhere."""
    found = {}
    for (uri, database, name), _ in ground.store.all("continuous_export"):
        verdicts = why(ground.store, uri, database, name)
        found[f"{database}/{name}"] = next((one.link for one in verdicts if one.holds is False), "")
    return found


@law(EXAMPLES, estates())
def test_on_healthy_estates_nothing_is_called_broken(country, document):  # noqa: F811
    (spec,) = country.bare(document)
    country.ground.converge(spec)
    known = survey(spec.scope, spec.desired, country.ground.clients)
    found = {one.export: one.first_broken for one in chains(known)}
    stopped = stopped_at(country.ground)
    assert found.keys() == stopped.keys()
    for export, link in found.items():
        assert stopped[export] in ("", "job")  # an export that its spec disables
        assert link is None, (export, link)


# ---- every other way to satisfy a link, on seed.yaml
def group_of(estate, *members):
    team = str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(members)))
    document = {"objectId": team, "type": "Group", "displayName": "exporters", "members": list(members)}
    estate.store.put("principal", (team,), document)
    return team


def drop_viewer(estate, symbol):
    estate.do(f".drop database {DATABASE} viewers ('aadapp={estate.principal(symbol)}')")


def viewer_through_a_group(estate):
    team = group_of(estate, estate.principal("exporter"))
    drop_viewer(estate, "exporter")
    estate.do(f".add database {DATABASE} viewers ('aadgroup={team}')")


def only(role):
    def move(estate):
        drop_viewer(estate, "exporter")
        estate.do(f".add database {DATABASE} {role} ('aadapp={estate.principal('exporter')}')")

    return move


def viewer_of_the_cluster(estate):
    drop_viewer(estate, "exporter")
    who = estate.principal("exporter")
    document = {"name": "one", "role": "AllDatabasesViewer", "principalId": who, "aadObjectId": who}
    estate.store.put("cluster_principal", (URI, "one"), {**document, "principalType": "App"})


def policy(text):
    def move(estate):
        who = estate.principal("exporter")
        estate.do(".delete database Telemetry policy managed_identity")
        estate.do(
            f'.alter-merge {text[0]} policy managed_identity ```[{{"ObjectId":"{who}","AllowedUsages":"{text[1]}"}}]```'
        )

    return move


def role_is(role, cut=None, group=False):
    """Every role at storage another one, at a scope further up, or a group's."""

    def move(estate):
        for (scope, name), document in estate.store.all("role_assignment"):
            estate.store.delete("role_assignment", scope, name)
            above = scope if cut is None else scope.split(cut)[0] or "/"
            who = group_of(estate, document["principalId"]) if group else document["principalId"]
            definition = f"/providers/Microsoft.Authorization/roleDefinitions/{BY_NAME[role.lower()].guid}"
            changed = {"roleDefinitionId": definition, "scope": above, "principalId": who}
            kind = {"principalType": "Group"} if group else {}
            estate.store.put("role_assignment", (normal(above), name), {**document, **changed, **kind})

    return move


def firewall(**rules):
    def move(estate):
        for (name,), _ in estate.store.all("account"):
            estate.change("account", name, networkAcls={"defaultAction": "Deny", **rules})

    return move


def rule_for_the_cluster(estate):
    firewall(bypass="None", resourceAccessRules=[{"resourceId": estate.spec.scope.cluster_id.upper()}])(estate)


def outbound(estate):
    names = ["*.core.windows.net", "contoso.database.windows.net"]
    estate.change("cluster", URI, properties={"restrictOutboundNetworkAccess": "Enabled", "allowedFqdnList": names})


def callout(kind, pattern, can):
    rule = f'[{{"CalloutType":"{kind}","CalloutUriRegex":"{pattern}","CanCall":{can}}}]'
    return lambda estate: estate.do(f".alter cluster policy callout ```{rule}```")


def row_level_security(estate):
    estate.do(".alter table Events policy row_level_security enable 'Events'")


def list_instead_of_role(estate):
    for key, document in estate.store.all("role_assignment"):
        if "contosolake" in key[0]:
            estate.store.delete("role_assignment", *key)
            who = document["principalId"]
            text = f"user::rwx,user:{who}:rwx,group::r-x,mask::rwx,other::---"
            estate.store.put("path", ("contosolake", "archive", "/"), {"acl": text, "owner": "$superuser"})


def database_owner(estate):
    estate.ends.sql("contoso.database.windows.net", "Dwh").cursor().execute("ALTER ROLE db_owner ADD MEMBER [exporter]")
    for permission in ("INSERT", "UPDATE"):
        text = f"REVOKE {permission} ON OBJECT::dbo.Events FROM [exporter]"
        estate.ends.sql("contoso.database.windows.net", "Dwh").cursor().execute(text)


WAYS = {
    "group": viewer_through_a_group,
    "users": only("users"),
    "admins": only("admins"),
    "cluster-viewer": viewer_of_the_cluster,
    "policy-cluster": policy(("cluster", "AutomatedFlows")),
    "policy-all": policy(("database Telemetry", "All")),
    "blob-owner": role_is("Storage Blob Data Owner"),
    "at-account": role_is("Storage Blob Data Contributor", "/blobservices"),
    "at-group": role_is("Storage Blob Data Contributor", "/providers/microsoft.storage"),
    "at-subscription": role_is("Storage Blob Data Contributor", "/resourcegroups"),
    "role-by-group": role_is("Storage Blob Data Contributor", group=True),
    "trusted": firewall(bypass="Metrics, AzureServices"),
    "rule": rule_for_the_cluster,
    "outbound": outbound,
    "callout-elsewhere": callout("external_data", "elsewhere", "false"),
    "callout-other-type": callout("kusto", ".*", "false"),
    "row-level-security": row_level_security,
    "list": list_instead_of_role,
    "db-owner": database_owner,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_satisfy_a_link_counts(estate, way):
    WAYS[way](estate)
    names = [key[2] for key, _ in estate.store.all("continuous_export")]
    assert not any(estate.oracle(name) for name in names), [estate.oracle(name) for name in names]
    found = chains(estate.survey())
    assert {one.export: one.first_broken for one in found if one.first_broken} == {}


def test_a_rule_for_the_cluster_is_doubted_where_a_run_was_refused(estate):
    firewall(bypass="None")(estate)
    assert not estate.tick("EventsToBlob").succeeded
    rule_for_the_cluster(estate)
    [told] = [link for link in estate.chain("EventsToBlob").links if link.name == "network"]
    assert told.verdict == "unknown" and "last run was refused" in told.evidence
