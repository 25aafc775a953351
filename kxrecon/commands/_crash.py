"""The log of an unexpected error: what a person attaches to a report, without what must not be seen."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kxrecon import __version__
from kxrecon.commands._files import STATE
from kxrecon.errors import FileError
from kxrecon.files import write_private

_VARIABLE = "KXRECON_VAR_"
_KEY = "KXRECON_LEDGER_KEY"
_SHORTEST = 6  # shorter values are no secrets, and without them a log could not be read
_VALUE = re.compile(r"^(--var=[^=]*|[A-Za-z_][\w-]*)=.*$", re.DOTALL)


def without_secrets(text: str, argv: Sequence[str]) -> str:
    """``text`` without the values of variables, any of which may be secret: at a defect nobody knows which are.

    Values come from ``--var`` and from ``KXRECON_VAR_…``; also their parts, and their spellings in a repr.
    """
    from kxrecon.planes.failures import masked

    given = [argument.partition("=")[2] for argument in argv if "=" in argument]
    given += [argument.rpartition("=")[2] for argument in argv if argument.startswith("--var=")]
    given += [value for name, value in os.environ.items() if name.startswith(_VARIABLE) or name == _KEY]
    parts = {part for value in given for part in (value, *re.split("[;&?]", value), *value.split("=", 1))}
    spelled = {form for part in parts for form in (part, repr(part)[1:-1], json.dumps(part)[1:-1])}
    return masked(text, (form for form in spelled if len(form) >= _SHORTEST))


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
    text = without_secrets(text, argv)
    path = STATE / f"unexpected-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
    try:
        write_private(path, text)
    except FileError:
        print(text, file=sys.stderr)
        return "stderr"
    return path


def _masked(argument: str) -> str:
    """``--var`` may carry a secret: its name is enough."""
    return _VALUE.sub(r"\1=…", argument)
