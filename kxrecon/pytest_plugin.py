"""The pytest plugin (entry point ``pytest11``): the fixture ``kxrecon_sandbox``, and nothing until it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kxrecon.testing import Sandbox


@pytest.fixture
def kxrecon_sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """A fresh embedded Azure for this test (kxrecon.testing.Sandbox); paths of specs begin at pytest's rootdir."""
    from kxrecon.testing import open_sandbox

    with open_sandbox(tmp_path, root=request.config.rootpath) as sandbox:
        yield sandbox
