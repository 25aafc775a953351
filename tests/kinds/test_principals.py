"""Names of principals: many spellings, one symbol."""

from __future__ import annotations

import pytest

from kxrecon import principals
from kxrecon.kinds.arm import _ids
from kxrecon.model import Ref, Unknown
from kxrecon.scope import Directory, Scope

OID = "6f0e9c1e-0000-4000-8000-000000000001"
SCOPE = Scope(
    identities={"system": "", "exporter": "/x"},
    principals={"oncall": f"aadgroup={OID};contoso.com"},
    directory=Directory(symbols={OID: "oncall", "jane@contoso.com": "jane"}),
)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("system", "system"),
        ("exporter", "exporter"),
        ("oncall", "oncall"),
        (f"AadGroup={OID.upper()};other.com", "oncall"),
        ("aaduser=Jane@contoso.com", "jane"),
        ("aaduser=Joe@contoso.com;t", "aaduser=joe@contoso.com"),
        ("nobody", None),
        ("kuser=x", None),
        ("aaduser=", None),
    ],
)
def test_symbol_of_what_a_spec_writes(text, symbol):
    assert principals.symbol_of(text, SCOPE) == symbol


@pytest.mark.parametrize(
    ("object_id", "fqn", "display", "symbol"),
    [
        (OID.upper(), f"aadgroup={OID};t", "On call", "oncall"),
        ("", f"aadgroup={OID}", "", "oncall"),
        ("1", "aaduser=1;t", "Jane (upn: jane@contoso.com)", "jane"),
        ("1", "aaduser=1;t", "jane@contoso.com", "aaduser=1"),
        ("", "", "", "aadapp="),
    ],
)
def test_symbol_of_what_a_service_shows(object_id, fqn, display, symbol):
    assert principals.observed_symbol(object_id, fqn, display, SCOPE) == symbol


def test_display_name_is_no_alias_without_its_prefix():
    assert principals.aliases("aadgroup=Ops;contoso.com") == ("aadgroup=ops",)
    assert principals.aliases(f"aadgroup={OID.upper()};t") == (f"aadgroup={OID}", OID)


def test_identity_by_its_ids_as_far_as_they_are_known():
    ref = Ref("cluster_identity", ("system",))
    unknown = ("aadapp=", Unknown(ref, "principalId"), ";", Unknown(ref, "tenantId"))
    assert principals.identity_fqn("system", SCOPE) == unknown
    known = Scope(directory=Directory({"system": {"principalId": "p"}}))
    assert principals.identity_fqn("system", known) == ("aadapp=p",)


def test_scopes_that_enclose_a_container():
    container = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Storage/storageAccounts/a/blobServices/default"
    assert list(_ids.enclosing(f"{container}/containers/c"))[-4:] == [
        "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/a",
        "/subscriptions/s/resourcegroups/g",
        "/subscriptions/s",
        "/",
    ]
    assert list(_ids.enclosing("/subscriptions/S")) == ["/subscriptions/s", "/"]
