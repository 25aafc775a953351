"""The seed, applied once; each test starts from a copy of that sandbox."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.sandbox.store import Store
from tests.ground import SPECS


class Desk:
    """A folder with a sandbox, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seed = str(SPECS / "seed.yaml")

    def run(self, *argv: str) -> tuple[int, str]:
        """(exit code, everything printed) of a command."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = cli.main([*argv])
        return code, told.getvalue()

    def on(self, *argv: str) -> tuple[int, str]:
        """The same on the sandbox."""
        return self.run(*argv, "--sandbox")

    def json(self, *argv: str):
        """What a command on the sandbox answers as JSON."""
        return json.loads(self.on(*argv, "--json")[1])

    def kql(self, command: str, database: str = "Telemetry") -> None:
        """Somebody's command; it must not be refused."""
        code, told = self.on("sandbox", "kql", "--database", database, command)
        assert code == 0, told

    @contextlib.contextmanager
    def store(self):
        """The sandbox's documents, to break something."""
        opened = Store(self.folder / ".kxrecon" / "sandbox.db")
        try:
            yield opened
        finally:
            opened.close()

    def change(self, kind: str, name: str, **fields) -> None:
        """Other values in the documents of a kind whose last name is this one."""
        with self.store() as store:
            found = [(key, document) for key, document in store.all(kind) if key[-1] == name]
            assert found, (kind, name)
            for key, document in found:
                store.put(kind, key, {**document, **fields})

    def drop(self, kind: str, *words: str) -> None:
        """Delete the documents of a kind whose key or body has all these words."""
        with self.store() as store:
            found = [key for key, document in store.all(kind) if all(word in f"{key}{document}" for word in words)]
            assert found, (kind, words)
            for key in found:
                store.delete(kind, *key)

    def green(self) -> None:
        """Every export that is not disabled runs and succeeds."""
        code, told = self.on("sandbox", "tick", "--advance", "1d")
        assert code == 0, told


@pytest.fixture(scope="session")
def converged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed")
    desk, before = Desk(folder), Path.cwd()
    os.chdir(folder)
    try:
        code, told = desk.on("apply", desk.seed, "--yes")
        assert code == 0, told
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


@pytest.fixture
def seeded(desk, converged):
    """A folder with the seed applied."""
    shutil.copytree(converged / ".kxrecon", desk.folder / ".kxrecon")
    return desk
