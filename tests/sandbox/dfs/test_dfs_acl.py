"""Access control lists: the pure rules, then the wire through Microsoft's Data Lake SDK."""

from __future__ import annotations

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.filedatalake import DataLakeDirectoryClient
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.sandbox import acl
from kxrecon.sandbox.embedded import embed

ADA = "22222222-0000-4000-8000-000000000001"
BOB = "22222222-0000-4000-8000-000000000002"
ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/"
INVENTORY = {
    "storageAccounts": [
        {"name": "lake", "resourceId": ACCOUNT + "lake", "hierarchicalNamespace": True, "containers": ["archive"]},
        {"name": "flat", "resourceId": ACCOUNT + "flat", "containers": ["archive"]},
    ]
}


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with embed(tmp_path / "s.db", INVENTORY) as opened:
        yield opened


def directory(sandbox, path, *, account="lake", filesystem="archive"):
    return DataLakeDirectoryClient(f"{sandbox.dfs}/{account}", filesystem, path, credential=None, retry_total=0)


def entries(answer):
    return set(answer["acl"].split(","))


def test_a_bare_sandbox_has_every_directory_and_its_root(sandbox):
    with directory(sandbox, "a/b") as below, directory(sandbox, "/") as root:
        assert below.get_access_control()["acl"] == "user::rwx,group::r-x,other::---"
        assert root.get_access_control()["permissions"] == "rwxr-x---"


def test_a_strict_sandbox_has_what_was_made(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with embed(tmp_path / "s.db", {**INVENTORY, "strict": True}) as strict, directory(strict, "a/b") as below:
        with pytest.raises(ResourceNotFoundError) as missing:
            below.get_access_control()
        assert missing.value.error_code == "PathNotFound"
        below.create_directory()
        assert below.get_access_control()["owner"] == "$superuser"


def test_setting_replaces_the_whole_list_and_computes_the_mask(sandbox):
    with directory(sandbox, "a") as one:
        one.set_access_control(acl=f"user::rwx,group::r--,other::---,user:{ADA}:-wx,default:user:{ADA}:rwx")
        answer = one.get_access_control()
        assert f"user:{ADA}:-wx" in entries(answer) and "mask::rwx" in entries(answer)
        assert {"default:user::rwx", "default:group::r--", "default:other::---", "default:mask::rwx"} <= entries(answer)
        assert answer["permissions"] == "rwxrwx---+"
        one.set_access_control(acl="user::rwx,group::r-x,other::---")
        assert one.get_access_control()["acl"] == acl.ROOT


def test_a_given_mask_limits(sandbox):
    with directory(sandbox, "a") as one:
        one.set_access_control(acl=f"user::rwx,group::r-x,mask::r--,other::---,user:{ADA}:rwx")
        listed = acl.parse(one.get_access_control()["acl"])
    assert not acl.allows(listed, ADA, (), "w") and acl.allows(listed, ADA, (), "r")


def test_if_match(sandbox):
    with directory(sandbox, "a") as one:
        etag = one.get_access_control()["etag"]
        one.set_access_control(acl=acl.ROOT, etag=etag, match_condition=MatchConditions.IfNotModified)
        with pytest.raises(ResourceModifiedError):
            one.set_access_control(acl=acl.ROOT, etag=etag, match_condition=MatchConditions.IfNotModified)


def test_recursive_changes(sandbox):
    with directory(sandbox, "a/b") as child, directory(sandbox, "a") as parent:
        child.get_access_control()
        result = parent.update_access_control_recursive(acl=f"user:{ADA}:--x,user:{BOB}:r--")
        assert result.counters.directories_successful == 2
        assert {f"user:{ADA}:--x", f"user:{BOB}:r--"} <= entries(child.get_access_control())
        parent.remove_access_control_recursive(acl=f"user:{ADA}")
        assert f"user:{ADA}:--x" not in entries(child.get_access_control())
        parent.set_access_control_recursive(acl=acl.ROOT)
        assert child.get_access_control()["acl"] == acl.ROOT


def test_new_directories_inherit_defaults_and_existing_ones_do_not(sandbox):
    with directory(sandbox, "a") as top, directory(sandbox, "a/old") as old, directory(sandbox, "a/new") as new:
        old.get_access_control()
        top.set_access_control(acl=f"{acl.ROOT},default:user:{ADA}:rwx")
        assert f"user:{ADA}:rwx" not in entries(old.get_access_control())
        assert {f"user:{ADA}:rwx", f"default:user:{ADA}:rwx"} <= entries(new.get_access_control())


@pytest.mark.parametrize(
    ("account", "filesystem", "code"),
    [
        ("nobody", "archive", "ResourceNotFound"),
        ("lake", "nothing", "FilesystemNotFound"),
        ("flat", "archive", "HierarchicalNamespaceNotEnabled"),
    ],
)
def test_what_cannot_have_lists(sandbox, account, filesystem, code):
    with directory(sandbox, "a", account=account, filesystem=filesystem) as one, pytest.raises(HttpResponseError) as no:
        one.get_access_control()
    assert no.value.response.headers["x-ms-error-code"] == code


@pytest.mark.parametrize(
    "text",
    [
        "user::rwx",
        "user::rwx,group::r-x,other::---,user:x",
        "everyone::rwx",
        "user::rwx,user::rwx,group::r-x,other::---",
    ],
)
def test_malformed_lists_change_nothing(sandbox, text):
    with directory(sandbox, "a") as one:
        before = one.get_access_control()["etag"]
        with pytest.raises(HttpResponseError) as no:
            one.set_access_control(acl=text)
        assert no.value.status_code == 400
        assert one.get_access_control()["etag"] == before


def test_more_than_32_entries_are_refused():
    many = ",".join(f"user:{number:08d}-0000-4000-8000-000000000000:--x" for number in range(29))
    with pytest.raises(acl.BadAcl, match="32"):
        acl.replaced(acl.parse(f"{acl.ROOT},{many}"))


def test_a_caller_needs_a_data_role(sandbox):
    store = sandbox.world.store
    store.put("meta", ("caller",), {"objectId": ADA, "displayName": "Ada", "roles": ["Owner"]})
    with directory(sandbox, "a") as one:
        with pytest.raises(HttpResponseError) as no:
            one.get_access_control()
        assert no.value.status_code == 403
        store.put("meta", ("caller",), {"objectId": ADA, "roles": ["Storage Blob Data Contributor"]})
        one.get_access_control()
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
            one.set_access_control(acl=acl.ROOT)
        store.put("meta", ("caller",), {"objectId": ADA, "roles": ["Storage Blob Data Owner"]})
        one.set_access_control(acl=acl.ROOT)


BITS = st.sampled_from(["rwx", "-wx", "--x", "r--", "---"])
NAMES = st.sampled_from([ADA, BOB])
LISTS = st.dictionaries(st.tuples(st.booleans(), st.sampled_from(["user", "group"]), NAMES), BITS, max_size=6)


@settings(deadline=None, derandomize=True)
@given(current=LISTS, changes=LISTS)
def test_merging_keeps_foreign_entries_and_reads_back(current, changes):
    before = acl.replaced({**acl.parse(acl.ROOT), **current})
    after = acl.merged(before, changes)
    assert acl.parse(acl.text(after)) == after
    assert all(after[entry] == bits for entry, bits in {**current, **changes}.items())
    for default in (False, True):
        named = [bits for entry, bits in after.items() if entry[0] == default and entry[2]]
        assert ((default, "mask", "") in after) == bool(named)
    assert acl.merged(after, changes) == after
