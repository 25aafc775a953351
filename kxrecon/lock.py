"""One apply at a time, for those who want it: a file for one machine, a lease on a blob for many.

Without a lock two applies at once are safe too, since each action looks again before it writes; a lock makes
the second one wait for its turn by failing at once, with the name of whoever holds it.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kxrecon.errors import ApplyError, FileError, UsageError
from kxrecon.files import append, named

LEASE = 60  # seconds; Azure allows 15 to 60, and a run that died frees the blob after that
RENEWAL = 20.0


def owner() -> dict[str, str]:
    """Who holds a lock: for the message that the next one gets."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"user": _user(), "host": socket.gethostname(), "process": str(os.getpid()), "since": now}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        return str(os.getuid())


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a file on this machine. The system frees it when the process ends, however it ends.

    Raises ApplyError if another process holds it; who wrote the file before is only asked then. FileError for a file
    that is no lock: it is left as it is.
    """
    try:
        import fcntl
    except ImportError as error:
        raise UsageError("--lock file needs a system with flock: use --lock blob:URL") from error
    with named(f"the lock {path} cannot be used"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(str(path), os.read(descriptor, 4096).decode("utf-8", "replace")) from error
        with named(f"the lock {path} cannot be used"):
            _check(path, descriptor)
            os.ftruncate(descriptor, 0)
            append(descriptor, json.dumps(owner()).encode())
        yield
    finally:
        os.close(descriptor)


def _check(path: Path, descriptor: int) -> None:
    """Refuse what is no lock: a name is written into it, over what is there. One that was cut off is one."""
    begin = b'{"user": "'
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        there = os.pread(descriptor, len(begin), 0)
        if there == begin[: len(there)]:
            return
    raise FileError(f"{path} is no lock, so it was left alone: name a file of its own, or one that is not there yet")


@contextmanager
def blob_lock(blob: Any, lost: Callable[[], None], *, renewal: float = RENEWAL) -> Iterator[None]:
    """Hold a lease on a blob (``azure.storage.blob.BlobClient``, or what behaves like one), renewed meanwhile.

    ``lost`` is called if a renewal fails for good: from then on somebody else may hold it. Raises ApplyError if
    somebody does already, or if the blob cannot be reached.
    """
    from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError

    try:
        with suppress(ResourceExistsError):
            blob.upload_blob(b"", overwrite=False)
        lease = blob.acquire_lease(lease_duration=LEASE)
    except HttpResponseError as error:
        if error.status_code == 409:
            raise _taken(str(blob.url).partition("?")[0], json.dumps(_holder(blob))) from error
        raise ApplyError(f"the lock cannot be taken: {error.message}") from error
    except AzureError as error:
        raise ApplyError(f"the lock cannot be taken: {error.message}") from error
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, over, lost, renewal), name="lock", daemon=True)
    with suppress(AzureError):  # only so that the next one is told a name
        blob.set_blob_metadata(owner(), lease=lease)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        with suppress(AzureError):  # a lease that cannot be given back ends by itself within a minute
            lease.release()


def _keep(lease: Any, over: threading.Event, lost: Callable[[], None], renewal: float) -> None:
    """Renew until it is over; two failures in a row mean that the lease may be somebody else's."""
    from azure.core.exceptions import AzureError

    failures = 0
    while not over.wait(renewal):
        try:
            lease.renew()
            failures = 0
        except AzureError:
            failures += 1
            if failures == 2:
                lost()
                return


def _holder(blob: Any) -> dict[str, str]:
    from azure.core.exceptions import AzureError

    try:
        return dict(blob.get_blob_properties().metadata or {})
    except AzureError:
        return {}


def _taken(where: str, told: str) -> ApplyError:
    try:
        who = {key: str(value) for key, value in json.loads(told).items()}
    except (ValueError, AttributeError):
        who = {}
    by = (
        f"{who.get('user', '?')} on {who.get('host', '?')} (process {who.get('process', '?')}) since {who.get('since')}"
    )
    return ApplyError(f"another apply holds {where}: {by if who else 'by whom is not known'}; nothing was done")
