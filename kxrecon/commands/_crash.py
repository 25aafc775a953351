"""The log of an unexpected error: what a person attaches to a report, without what must not be seen."""

from __future__ import annotations

import platform
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kxrecon import __version__
from kxrecon.commands._files import STATE
from kxrecon.files import write_private

_VALUE = re.compile(r"^(--var=[^=]*|[A-Za-z_][\w-]*)=.*$", re.DOTALL)


def write_log(error: BaseException, argv: Sequence[str]) -> Path | str:
    """Write versions, command line and traceback; returns where (``stderr`` if no file can be written)."""
    text = "\n".join(
        (
            f"kxrecon {__version__} · Python {platform.python_version()} · {platform.platform()}",
            f"{datetime.now(UTC).isoformat(timespec='seconds')} · kxrecon {' '.join(map(_masked, argv))}",
            "",
            "".join(traceback.format_exception(error)),
        )
    )
    path = STATE / f"unexpected-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
    try:
        write_private(path, text)
    except OSError:
        print(text, file=sys.stderr)
        return "stderr"
    return path


def _masked(argument: str) -> str:
    """``--var`` may carry a secret: its name is enough."""
    return _VALUE.sub(r"\1=…", argument)
