"""Replacing the file of a spec: whole or not at all, and only by one that loads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from kxrecon.files import named


def replace(path: Path, text: str, before: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> None:
    """Write beside the file, load what was written (over the files ``before`` it), then put it in the file's place.
    Raises UsageError where that does not load, FileError; the file is as it was then."""
    from kxrecon.errors import SpecError, UsageError
    from kxrecon.spec import load

    beside = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        with named(f"{path} cannot be replaced"):
            beside.write_text(text, encoding="utf-8")
        load([*before, str(beside)], variables=variables or {})
        with named(f"{path} cannot be replaced"):
            shutil.copymode(path, beside)
            os.replace(beside, path)
    except SpecError as error:
        told = str(error).replace(str(beside), str(path))
        raise UsageError(f"{path} stays as it is, because with this change it could not be read:\n{told}") from error
    finally:
        beside.unlink(missing_ok=True)
