"""Real processes, really killed: SIGKILL at the n-th byte boundary of the wire, then an ordinary apply."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kxrecon import cli
from kxrecon.sandbox.store import Store
from tests.dumps import dump, same
from tests.ground import SPECS

HERE = {**os.environ, "PYTHONPATH": str(SPECS.parent)}
DYING = """
import os, signal, sys, threading
from kxrecon import cli
from kxrecon.planes import transport
guard, whole, count, at, mode = threading.Lock(), transport.Gate.send, 0, int(sys.argv[1]), sys.argv[2]

def send(gate, request, *rest, **options):
    global count
    if request.method in ("GET", "HEAD") or ".show" in str(request.body) or "ResourceGraph" in request.url:
        return whole(gate, request, *rest, **options)
    with guard:
        count += 1
        mine = count == at
    if mine and mode == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = whole(gate, request, *rest, **options)
    if mine:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

transport.Gate.send = send
sys.exit(cli.main(sys.argv[3:]))
"""


def plain(folder):
    store = Store(folder / ".kxrecon" / "sandbox.db")
    try:
        documents = store._db.execute("SELECT kind, key, body FROM document").fetchall()
        exporter = next(doc for _, doc in store.all("identity"))
        names = {exporter["principalId"]: "exporter", exporter["clientId"]: "exporter-client"}
        sid = next((one["sid"] for key, one in store.all("sql_principal") if key[-1] == "exporter"), "-")
        names[sid] = "sid"
        for old, new in names.items():
            documents = [(kind, key.replace(old, new), body.replace(old, new)) for kind, key, body in documents]
        return dump(documents)
    finally:
        store.close()


@pytest.fixture(scope="module")
def goal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main(["apply", str(SPECS / "seed.yaml"), "--sandbox", "--yes"]) == 0
    return plain(folder)


@pytest.mark.parametrize(
    ("at", "mode"), [(n, ("before", "after")[n % 2]) for n in (1, 2, 4, 7, 10, 13, 16, 19, 22, 25)]
)
def test_killed_and_applied_again(tmp_path, monkeypatch, capsys, goal, at, mode):
    monkeypatch.chdir(tmp_path)
    spec = str(SPECS / "seed.yaml")
    argv = [sys.executable, "-c", DYING, str(at), mode, "apply", spec, "--sandbox", "--yes"]
    killed = subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=100, check=False, env=HERE)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert cli.main(["plan", spec, "--sandbox"]) == 0
    assert "did not end" in capsys.readouterr().out
    assert cli.main(["apply", spec, "--sandbox", "--yes"]) == 0, capsys.readouterr()
    assert cli.main(["drift", spec, "--sandbox"]) == 0
    same(plain(tmp_path), goal)
