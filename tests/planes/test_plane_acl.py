"""Lists are merged, not replaced: foreign entries stay, masks are recomputed."""

from __future__ import annotations

import pytest

from kxrecon.planes import acl

OID = "6f0e9c1e-0000-4000-8000-000000000001"
OTHER = "6f0e9c1e-0000-4000-8000-000000000002"


def entry(scope, permissions, who=OID):
    return {"scope": scope, "id": who, "permissions": permissions}


def merge(before, ensure=(), remove=()):
    return acl.text(acl.merged(acl.parse(before), ensure, remove))


def test_text_and_back():
    text = f"user::rwx,user:{OID}:-wx,group::r-x,mask::rwx,other::---,default:user::rwx,default:mask::r-x"
    assert acl.text(acl.parse(text)) == text


def test_order_means_nothing():
    assert acl.parse("other::---,user::rwx") == acl.parse("user::rwx,other::---")


@pytest.mark.parametrize("text", ["user:rwx", "users::rwx", "default:user::rwx:more", "x"])
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(ValueError, match="not an ACL entry"):
        acl.parse(text)


def test_a_new_user_widens_the_mask():
    before = f"user::rwx,user:{OTHER}:r-x,group::r-x,mask::r-x,other::---"
    after = merge(before, [entry("access", "-wx")])
    assert after == f"user::rwx,user:{OID}:-wx,user:{OTHER}:r-x,group::r-x,mask::rwx,other::---"


def test_a_mask_gives_nobody_else_more_than_needed():
    before = f"user::rwx,user:{OTHER}:rwx,group::rwx,mask::r--,other::---"
    after = merge(before, [entry("access", "--x")])
    assert acl.parse(after)["access", "mask", ""] == "r-x"


def test_a_first_default_entry_makes_a_complete_default_list():
    after = merge("user::rwx,group::r-x,other::---", [entry("default", "rwx")])
    assert after == (
        f"user::rwx,group::r-x,other::---,default:user::rwx,default:user:{OID}:rwx,"
        "default:group::r-x,default:mask::rwx,default:other::---"
    )


def test_removing_the_last_named_user_removes_the_mask():
    before = f"user::rwx,user:{OID}:-wx,group::r-x,mask::rwx,other::---"
    assert merge(before, remove=[{"scope": "access", "id": OID}]) == "user::rwx,group::r-x,other::---"


def test_foreign_users_and_groups_stay():
    before = f"user::rwx,user:{OTHER}:r--,group::---,group:{OTHER}:-w-,mask::rw-,other::r--"
    after = merge(before, remove=[{"scope": "access", "id": OID}])
    assert after == before


def test_ids_are_compared_without_letter_case():
    before = f"user::rwx,user:{OID}:-wx,group::r-x,mask::rwx,other::---"
    assert merge(before, [entry("access", "-wx", OID.upper())]) == before


def test_a_full_list_is_told():
    ids = [f"6f0e9c1e-0000-4000-8000-0000000001{number:02}" for number in range(29)]
    entries = acl.merged({}, [entry("access", "--x", one) for one in ids], ())
    assert acl.crowded(entries) == "access"
    assert acl.crowded(acl.merged({}, [entry("access", "--x", one) for one in ids[:28]], ())) is None
