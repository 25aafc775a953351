"""``python -m tests.mutations [WORD …]``: makes the mistakes (those whose file or words hold one of the words) and
prints their rows for docs/testing.md, each with the first test that fails."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.mutations.copied import Copy
from tests.mutations.page import row
from tests.mutations.table import every

words = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    copy = Copy.made(Path(folder))
    for mutation in every():
        if words and not any(word in f"{mutation.file}: {mutation.what}" for word in words):
            continue
        with copy.spoiled(mutation):
            print(row(mutation, copy.failing(*mutation.tests) or "NO TEST"), flush=True)
