"""A command line on the sandbox of an empty folder."""

from __future__ import annotations

import pytest


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        return call(*argv, "--sandbox")

    return run
