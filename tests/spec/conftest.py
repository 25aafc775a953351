"""Specs written by a test: files in a folder of its own, loaded without the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kxrecon.errors import SpecError
from kxrecon.spec import Spec, load

FRAME = """\
version: 1
cluster: { uri: "https://telemetry.westeurope.kusto.windows.net" }
targets:
  lake: { url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate }
databases:
  Telemetry:
    tables:
      Events: { columns: "Timestamp:datetime, Level:string" }
    externalTables:
      EventsArchive: { kind: storage, columns: "Timestamp:datetime, Level:string", target: lake, dataFormat: parquet }
    continuousExports:
      ArchiveEvents: { over: [Events], to: EventsArchive, query: Events, managedIdentity: system, intervalBetweenRuns: 10m }
"""


@pytest.fixture
def write(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Write files by name into a folder that is also the current one."""
    monkeypatch.chdir(tmp_path)

    def _write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
        return tmp_path

    return _write


def loaded(*names: str, variables: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Spec:
    """The spec of these files in the current folder."""
    return load([f"{name}.yaml" for name in names], variables=variables or {}, environ=environ or {})


def problems(*names: str, **options: dict[str, str]) -> list[str]:
    """What loading these files complains about, one line a problem."""
    with pytest.raises(SpecError) as caught:
        loaded(*names, **options)
    return [str(problem) for problem in caught.value.problems]
