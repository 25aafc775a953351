"""``--lock``: which lock an apply holds while it writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands._files import STATE
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from kxrecon.spec import Spec

LOCK = STATE / "lock"


def held(chosen: str | None, spec: Spec, lost: Callable[[], None]) -> AbstractContextManager[None]:
    """The lock that ``--lock`` names; UsageError if it names none. ``lost`` is called if it slips away."""
    kind, _, where = (chosen or "").partition(":")
    if chosen is None:
        return nullcontext()
    if kind == "file":
        from kxrecon.lock import file_lock

        return file_lock(Path(where) if where else LOCK)
    if kind == "blob" and where:
        from azure.storage.blob import BlobClient

        from kxrecon.lock import blob_lock
        from kxrecon.planes.credentials import credential_for
        from kxrecon.planes.hosts import CLOUDS, trusted

        cloud = CLOUDS[spec.scope.cloud]
        trusted(where.replace(".blob.", ".dfs.", 1), "dfs", cloud)  # the same accounts, by their other name
        credential = credential_for(cloud, None, local=False)
        return blob_lock(BlobClient.from_blob_url(where, credential=credential), lost)
    raise UsageError(f"--lock takes file, file:PATH or blob:URL, not {chosen!r}")
