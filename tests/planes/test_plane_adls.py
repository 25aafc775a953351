"""The Data Lake plane against a scripted server: merge under If-Match, nothing of others lost."""

from __future__ import annotations

import pytest
from planes_fake import Answered, serving

from kxrecon.errors import PlaneError
from kxrecon.model import Failure, Read, Request
from kxrecon.planes import WriteRefused
from kxrecon.planes.adls import AdlsPlane
from kxrecon.planes.credentials import LocalCredential
from kxrecon.planes.hosts import CLOUDS

HOST = "contosolake.dfs.core.windows.net"
OID = "6f0e9c1e-0000-4000-8000-000000000001"
OTHER = "6f0e9c1e-0000-4000-8000-000000000002"
GET = Read("adls", HOST, "acl.get", (("filesystem", "archive"), ("path", "/events/raw")))


def update(ensure=(), remove=(), path="/events/raw"):
    body = {"filesystem": "archive", "path": path, "ensure": list(ensure), "remove": list(remove)}
    return Request("adls", HOST, ("acl.update",), body)


TRAVERSE = {"scope": "access", "id": OID, "permissions": "--x"}


class Lake:
    """One directory's list with its etag."""

    def __init__(self, acl="user::rwx,group::r-x,other::---"):
        self.acl, self.etag, self.faults = acl, 1, []

    def __call__(self, asked):
        if asked.method == "PATCH" and self.faults:
            return self.faults.pop(0)(self)
        if asked.method == "PATCH":
            if asked.headers.get("if-match") != f'"{self.etag}"':
                return Answered(412, headers={"x-ms-error-code": "ConditionNotMet"})
            self.acl, self.etag = asked.headers["x-ms-acl"], self.etag + 1
            return Answered()
        shown = {"x-ms-acl": self.acl, "x-ms-owner": "$superuser", "x-ms-group": "$superuser"}
        return Answered(headers={**shown, "x-ms-permissions": "rwxr-x---", "ETag": f'"{self.etag}"'})


@pytest.fixture
def plane(terms):
    opened = []

    def make(fake, on=terms):
        opened.append(AdlsPlane(fake.url, CLOUDS["public"], LocalCredential(), on))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_a_list_is_read_with_a_token_on_loopback(plane):
    with serving(Lake()) as fake:
        one = plane(fake)
        assert one.read(GET) == {
            "acl": "user::rwx,group::r-x,other::---",
            "owner": "$superuser",
            "group": "$superuser",
            "permissions": "rwxr-x---",
            "etag": '"1"',
        }
        assert one.requests == 1
    asked = fake.asked[0]
    assert (asked.method, asked.path) == ("HEAD", "/contosolake/archive/events/raw")
    assert "action=getAccessControl" in asked.query
    assert asked.headers["authorization"] == "Bearer sandbox"


def test_a_merge_keeps_others_and_is_sent_under_if_match(plane):
    lake = Lake(f"user::rwx,user:{OTHER}:r-x,group::r-x,mask::r-x,other::---")
    with serving(lake) as fake:
        answer = plane(fake).write(update([TRAVERSE]))
    assert answer["acl"] == f"user::rwx,user:{OID}:--x,user:{OTHER}:r-x,group::r-x,mask::r-x,other::---"
    assert [one.method for one in fake.asked] == ["HEAD", "PATCH", "HEAD"]


def test_what_is_so_already_sends_nothing(plane):
    with serving(Lake(f"user::rwx,user:{OID}:--x,group::r-x,mask::r-x,other::---")) as fake:
        plane(fake).write(update([TRAVERSE]))
    assert [one.method for one in fake.asked] == ["HEAD"]


def test_somebody_elses_change_meanwhile_is_merged_with(plane):
    def meanwhile(lake):
        lake.acl, lake.etag = f"user::rwx,user:{OTHER}:rwx,group::r-x,mask::rwx,other::---", 2
        return Answered(412, headers={"x-ms-error-code": "ConditionNotMet"})

    lake = Lake()
    lake.faults = [meanwhile]
    with serving(lake) as fake:
        plane(fake).write(update([TRAVERSE]))
    assert f"user:{OTHER}:rwx" in lake.acl
    assert f"user:{OID}:--x" in lake.acl


def test_a_lost_answer_is_looked_at_before_it_is_repeated(plane):
    def applied(lake):
        lake.acl = f"user::rwx,user:{OID}:--x,group::r-x,mask::r-x,other::---"
        return Answered(cut=True)

    lake = Lake()
    lake.faults = [applied]
    with serving(lake) as fake:
        plane(fake).write(update([TRAVERSE]))
    assert [one.method for one in fake.asked] == ["HEAD", "PATCH", "HEAD"]


def test_the_root_is_a_directory_too(plane):
    with serving(Lake()) as fake:
        plane(fake).write(update([TRAVERSE], path="/"))
    assert {one.path for one in fake.asked} == {"/contosolake/archive//"}


def test_a_blob_host_is_asked_at_its_dfs_host(terms):
    asked = AdlsPlane(None, CLOUDS["public"], LocalCredential(), terms)
    assert asked._url("contosolake.blob.core.windows.net") == f"https://{HOST}"
    asked.close()


def test_an_unknown_account_host_gets_no_token(terms):
    class Guarded:
        def get_token(self, *_, **__):
            raise AssertionError("a token was asked for")

    plane = AdlsPlane(None, CLOUDS["public"], Guarded(), terms)
    failure = plane.read(Read("adls", "lake.evil.example", "acl.get", (("filesystem", "f"), ("path", "/"))))
    assert failure.code == "UntrustedHost"
    plane.close()


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (404, "PathNotFound", "absent"),
        (404, "FilesystemNotFound", "absent"),
        (403, "AuthorizationPermissionMismatch", "denied"),
        (409, "Whatever", "failed"),
        (302, "", "failed"),
    ],
)
def test_refusals_are_failures_by_the_headers_code(plane, status, code, reason):
    headers = {"x-ms-error-code": code, **({"Location": "http://127.0.0.1:9"} if status == 302 else {})}
    with serving(lambda asked: Answered(status, headers=headers)) as fake:
        failure = plane(fake).read(GET)
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert code in (failure.code, "")
    assert "contosolake.dfs.core.windows.net/archive/events/raw" in failure.message
    assert len(fake.asked) == 1


def test_busy_storage_is_tried_again(plane):
    lake, left = Lake(), [Answered(503, headers={"x-ms-error-code": "ServerBusy"})] * 2
    with serving(lambda asked: left.pop() if left else lake(asked)) as fake:
        assert plane(fake).read(GET)["etag"] == '"1"'
    assert len(fake.asked) == 3


@pytest.mark.parametrize("headers", [{}, {"x-ms-acl": "nonsense"}])
def test_an_answer_without_a_list_is_no_list(plane, headers):
    with serving(lambda asked: Answered(headers=headers)) as fake:
        if not headers:
            assert isinstance(plane(fake).read(GET), Failure)
        with pytest.raises(PlaneError):
            plane(fake).write(update([TRAVERSE]))
    assert {one.method for one in fake.asked} == {"HEAD"}


def test_a_missing_directory_says_what_to_do(plane):
    lake = Lake()
    lake.faults = [lambda lake: Answered(404, headers={"x-ms-error-code": "PathNotFound"})]
    with serving(lake) as fake, pytest.raises(PlaneError, match="create the directory"):
        plane(fake).write(update([TRAVERSE]))


def test_a_full_list_is_not_sent(plane):
    users = ",".join(f"user:6f0e9c1e-0000-4000-8000-0000000001{number:02}:--x" for number in range(28))
    with serving(Lake(f"user::rwx,{users},group::r-x,mask::r-x,other::---")) as fake:
        with pytest.raises(PlaneError, match="more than 28"):
            plane(fake).write(update([TRAVERSE]))
        assert [one.method for one in fake.asked] == ["HEAD"]


def test_read_only_writes_nothing(plane, reading):
    with serving(Lake()) as fake:
        with pytest.raises(WriteRefused):
            plane(fake, reading).write(update([TRAVERSE]))
        assert fake.asked == []
