"""The estate of specs/seed.yaml, applied once; each test breaks its own copy, and mends it as it is told to."""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from kxrecon import cli
from kxrecon.kinds.arm._roles import NAMES
from kxrecon.planes import Wire
from kxrecon.planes.connect import connect
from kxrecon.sandbox.arm import operations
from kxrecon.sandbox.arm.app import ArmApp
from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.kusto.service import KustoService
from kxrecon.sandbox.scheduler import ingest, tick, why
from kxrecon.spec import load
from kxrecon.verify import chains, survey
from tests.witness.grammar.watch import printed

SEED = Path(__file__).parents[2] / "specs" / "seed.yaml"
URI = "https://telemetry.westeurope.kusto.windows.net"
DATABASE = "Telemetry"


class Estate:
    """An applied sandbox: what a test moves in it, and what verify says of it."""

    def __init__(self, ends, path: Path) -> None:
        self.ends, self.path = ends, path
        self.world = ends.world
        self.store = self.world.store
        self.spec = load([str(SEED)])
        self.wire = Wire(name=f"sandbox:{path}", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
        self.kusto = KustoService(self.store, self.world.clock, URI)

    # ---- what happens
    def do(self, command: str, database: str = DATABASE) -> None:
        status, body = self.kusto.handle_management(database, command, {})
        assert status == 200, (command, body)

    def change(self, kind: str, *key: str, **fields) -> None:
        document = self.store.get(kind, *key)
        assert document is not None, (kind, key)
        self.store.put(kind, key, {**document, **fields})

    def export(self, name: str, **fields) -> None:
        self.change("continuous_export", URI, DATABASE, name, **fields)

    def properties(self, name: str, **fields) -> None:
        job = self.store.get("continuous_export", URI, DATABASE, name)
        self.export(name, properties={**job["properties"], **fields})

    def principal(self, symbol: str) -> str:
        cluster = self.store.get("cluster", URI)
        if symbol == "system":
            return cluster["identity"]["system"]
        return next(found["principalId"] for (key,), found in self.store.all("identity") if key.endswith(symbol))

    def lose(self, kind: str, *prefix: str) -> None:
        found = [prefix] if self.store.get(kind, *prefix) else [key for key, _ in self.store.all(kind, *prefix)]
        assert found, f"nothing to lose: {kind} {prefix}"
        for key in found:
            self.store.delete(kind, *key)

    # ---- what is said
    @contextmanager
    def planes(self, *, read_only=True):
        made = connect(self.wire, self.spec.scope, read_only=read_only)
        try:
            yield made
        finally:
            for plane in made.values():
                plane.close()

    def survey(self, **options):
        given = {"apply": f"kxrecon apply {SEED} --sandbox-file {self.path}", **options}
        with self.planes() as planes:
            return survey(self.spec.scope, self.spec.desired, planes, **given)

    def chain(self, export: str):
        (found,) = chains(self.survey(), [export])
        return found

    def oracle(self, export: str) -> str:
        """The link that the sandbox's own scheduler would stop at; empty if none."""
        verdicts = why(self.store, URI, DATABASE, export)
        return next((verdict.link for verdict in verdicts if verdict.holds is False), "")

    # ---- what is done about it, exactly as printed
    def mend(self, fix) -> None:
        if fix.where == "kusto":
            printed(fix.text)
            self.do(fix.text, fix.target)
        elif fix.where == "sql":
            server, _, database = fix.target.partition("/")
            self.ends.sql(server, database).cursor().execute(fix.text)
        else:
            assert fix.where == "shell", fix
            self.shell(shlex.split(fix.text))

    def shell(self, words: list[str]) -> None:
        if words[:2] == ["kxrecon", "apply"]:
            assert cli.main([*words[1:], "--yes"]) == 0
            return
        assert words[0] == "az", words
        Az(self).run(words[1:])

    def tick(self, export: str):
        ingest(self.store, self.world.clock, URI, DATABASE, "Events", [["2026-03-05T10:00:00Z", 1, "Error", "x"]])
        runs = tick(self.store, self.world.clock, self.path.with_suffix(".files"), force=True)
        return next((run for run in runs if run.export == export), None)


class Az:
    """The few commands of the Azure CLI that fixes use, sent to the sandbox's ARM or, where it has none, stored."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def run(self, words: list[str]) -> None:
        names = [word for word in words[: next(i for i, w in enumerate(words) if w.startswith("--"))]]
        flags = dict(zip(words[len(names) :: 2], words[len(names) + 1 :: 2], strict=True))
        flags = {name.removeprefix("--"): value for name, value in flags.items()}
        getattr(self, "_".join(names).replace("-", "_"))(**{name.replace("-", "_"): v for name, v in flags.items()})

    def send(self, method: str, path: str, version: str, body=None) -> None:
        client, query = Client(ArmApp(self.estate.world), Response), {"api-version": version}
        answer = client.open(path, method=method, query_string=query, json=body)
        assert answer.status_code < 300, answer.data
        while operations.running(self.estate.world, URI):  # as az does: wait for what was begun
            client.get(self.estate.spec.scope.cluster_id, query_string={"api-version": "2023-08-15"})

    def role_assignment_create(self, assignee_object_id, assignee_principal_type, role, scope):
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
        assert role in NAMES
        properties = {
            "roleDefinitionId": definition,
            "principalId": assignee_object_id,
            "principalType": assignee_principal_type,
        }
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        self.send("PUT", path, "2022-04-01", {"properties": properties})

    def kusto_cluster_start(self, ids):
        self.send("POST", f"{ids}/start", "2023-08-15", {})

    def rest(self, method, url, body):
        path, _, version = url.removeprefix("https://management.azure.com").partition("?api-version=")
        content = json.loads(body)
        if "identity" in content:
            self.send(method.upper(), path, version, content)
            return
        cluster = self.estate.store.get("cluster", URI)
        self.estate.change("cluster", URI, properties={**cluster["properties"], **content["properties"]})

    def storage_container_rm_create(self, name, storage_account):
        self.send("PUT", f"{storage_account}/blobServices/default/containers/{name}", "2024-01-01", {})

    def storage_account_update(self, ids, **change):
        name = ids.rpartition("/")[2]
        document = self.estate.store.get("account", name)
        if "bypass" in change:
            self.estate.change("account", name, networkAcls={**document["networkAcls"], "bypass": change["bypass"]})
        if "public_network_access" in change:
            self.estate.change("account", name, publicNetworkAccess=change["public_network_access"])


@pytest.fixture(scope="session")
def applied(tmp_path_factory) -> Path:
    """The sandbox of seed.yaml, converged; a file to be copied."""
    path = tmp_path_factory.mktemp("seed") / "sandbox.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        assert cli.main(["apply", str(SEED), "--sandbox-file", str(path), "--yes"]) == 0
    return path


@pytest.fixture
def estate(applied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sandbox.db"
    for file in applied.parent.glob("sandbox.db*"):
        if file.is_file():
            shutil.copy(file, tmp_path)
    with embed(path) as ends:
        yield Estate(ends, path)


@pytest.fixture
def run(estate, call):
    """A verb on that estate."""

    def run(verb, *argv):
        return call(verb, *argv, "--sandbox-file", str(estate.path))

    return run
