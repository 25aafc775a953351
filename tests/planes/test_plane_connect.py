"""Planes are made when used, where the wire says, and import no SDK before."""

from __future__ import annotations

import subprocess
import sys

import pytest
from planes_fake import Answered, serving

from kxrecon.errors import PlaneError
from kxrecon.model import Failure, Read, Request
from kxrecon.planes import Wire, WriteRefused
from kxrecon.planes.connect import connect
from kxrecon.scope import Scope

URI = "https://telemetry.westeurope.kusto.windows.net"
SHOW = Read("kusto", "", ".show cluster")
CLUSTER = (
    "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers/Microsoft.Kusto/clusters/telemetry"
)


class Guarded:
    """A credential that must not be asked."""

    def get_token(self, *scopes, **_):
        raise AssertionError(f"a token was asked for {scopes}")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_connecting_imports_no_sdk():
    loaded = run(
        "import sys; from kxrecon.planes.connect import connect; from kxrecon.planes import Wire; "
        "from kxrecon.scope import Scope; connect(Wire(), Scope(), read_only=True); print(*sys.modules)"
    )
    assert not [name for name in loaded if name.split(".")[0] in ("azure", "requests", "tenacity", "mssql_python")]


def test_reading_kusto_imports_no_arm():
    loaded = run(
        "import sys; import kxrecon.planes.kusto; print(*sys.modules)",
    )
    assert not [name for name in loaded if name.startswith(("azure.mgmt", "azure.storage", "azure.kusto.data.aio"))]


def test_an_untrusted_cluster_is_a_failure_and_gets_no_token():
    planes = connect(Wire(credential=Guarded()), Scope(cluster_uri="https://kusto.evil.example"), read_only=True)
    answer = planes["kusto"].read(SHOW)
    assert isinstance(answer, Failure)
    assert answer.code == "UntrustedHost"


def test_a_cluster_over_http_gets_no_token():
    planes = connect(Wire(credential=Guarded()), Scope(cluster_uri=URI.replace("https", "http")), read_only=False)
    with pytest.raises(PlaneError, match="https only"):
        planes["kusto"].write(Request("kusto", "D", (".alter x",)))


@pytest.mark.parametrize(
    "read",
    [
        SHOW,
        Read("arm", "", "clusters.get", (("resourceId", CLUSTER),)),
        Read("adls", "lake.dfs.core.windows.net", "acl.get", (("filesystem", "f"), ("path", "/"))),
        Read("sql", "s.database.windows.net/D", "SELECT 1"),
    ],
)
def test_a_sandbox_never_lets_anything_through_to_azure(read):
    wire = Wire(name="sandbox:x", kusto={"https://other.kusto.windows.net": "http://127.0.0.1:9"}, credential=Guarded())
    answer = connect(wire, Scope(cluster_uri=URI), read_only=True)[read.plane].read(read)
    assert isinstance(answer, Failure)
    assert answer.code == "NotPlayed"


def test_a_wire_finds_its_cluster_without_letter_case_and_slash():
    with serving(lambda asked: Answered(404, {"error": {"code": "NotFound", "message": "m"}})) as fake:
        wire = Wire(name="sandbox:x", kusto={URI + "/": fake.url})
        plane = connect(wire, Scope(cluster_uri=URI.upper().replace("HTTPS", "https")), read_only=True)["kusto"]
        assert plane.read(SHOW).reason == "absent"
        assert plane.requests == 2
        plane.close()


def test_an_unused_plane_counts_and_closes_nothing():
    planes = connect(Wire(), Scope(cluster_uri=URI), read_only=True)
    assert [plane.requests for plane in planes.values()] == [0, 0, 0, 0]
    for plane in planes.values():
        plane.close()


def test_every_request_is_recorded_without_its_query():
    lines = []
    with serving(lambda asked: Answered(404, {"error": {"code": "ResourceNotFound", "message": "m"}})) as fake:
        wire = Wire(name="sandbox:x", arm=fake.url)
        plane = connect(wire, Scope(), read_only=True, record=lines.append)["arm"]
        plane.read(Read("arm", "", "clusters.get", (("resourceId", CLUSTER),)))
        plane.close()
    assert lines == [f"GET {fake.url}{CLUSTER}"]


def test_read_only_planes_refuse_writes():
    with serving(lambda asked: Answered(200, {})) as fake:
        wire = Wire(name="sandbox:x", kusto={URI: fake.url}, arm=fake.url, dfs=fake.url, sql=lambda *_: None)
        planes = connect(wire, Scope(cluster_uri=URI), read_only=True)
        for name, text in (
            ("kusto", ".alter x"),
            ("arm", "clusters.identity"),
            ("adls", "acl.update"),
            ("sql", "GRANT"),
        ):
            with pytest.raises(WriteRefused):
                planes[name].write(Request(name, "", (text,)))
            planes[name].close()
        assert fake.asked == []
