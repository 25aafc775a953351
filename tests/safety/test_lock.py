"""A lock is held by one apply, says by whom, and is free again when that one ends, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ServiceRequestError

from kxrecon.errors import ApplyError
from kxrecon.lock import blob_lock, file_lock


def test_the_second_one_is_told_who_holds_the_file(tmp_path):
    path = tmp_path / "state" / "lock"
    with file_lock(path):
        with pytest.raises(ApplyError, match=rf"process {os.getpid()}.*nothing was done"), file_lock(path):
            raise AssertionError("held twice")
        assert path.stat().st_mode & 0o077 == 0
    with file_lock(path):
        assert str(os.getpid()) in path.read_text()


def test_a_process_that_died_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    program = (
        "import os, sys; from pathlib import Path; from kxrecon.lock import file_lock\n"
        "file_lock(Path(sys.argv[1])).__enter__(); print(os.getpid(), flush=True); os._exit(9)"
    )
    child = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60).stdout
    assert child.strip() in path.read_text(), "the dead process wrote its name"
    with file_lock(path):
        assert child.strip() not in path.read_text()


class Lease:
    def __init__(self, blob):
        self.blob, self.renewals = blob, 0

    def renew(self):
        self.renewals += 1
        if self.blob.broken:
            raise ServiceRequestError("gone")

    def release(self):
        self.blob.leased = None


class Blob:
    """As much of azure.storage.blob.BlobClient as a lock needs."""

    url = "https://a.blob.core.windows.net/c/lock?sig=secret"

    def __init__(self, broken=False):
        self.exists, self.leased, self.metadata, self.broken = False, None, {}, broken

    def upload_blob(self, content, overwrite):
        if self.exists:
            raise ResourceExistsError("exists")
        self.exists = True

    def acquire_lease(self, lease_duration):
        if self.leased is not None:
            error = HttpResponseError("leased")
            error.status_code = 409
            raise error
        assert 15 <= lease_duration <= 60
        self.leased = Lease(self)
        return self.leased

    def set_blob_metadata(self, metadata, lease):
        assert lease is self.leased
        self.metadata = metadata

    def get_blob_properties(self):
        return self


def test_a_lease_is_held_by_one_and_given_back():
    blob = Blob()
    with blob_lock(blob, lambda: None):
        with pytest.raises(ApplyError, match=rf"process {os.getpid()}") as refused, blob_lock(blob, lambda: None):
            raise AssertionError("held twice")
        assert "secret" not in str(refused.value)
    assert blob.leased is None
    with blob_lock(blob, lambda: None):
        assert blob.leased is not None


def test_a_lease_that_cannot_be_renewed_stops_the_apply():
    lost = threading.Event()
    blob = Blob(broken=True)
    with blob_lock(blob, lost.set, renewal=0.001):
        assert lost.wait(10)
    assert blob.leased is None


def test_a_blob_that_cannot_be_reached_is_no_lock():
    blob = Blob()

    def nobody(lease_duration):
        raise ServiceRequestError("no route to host")

    blob.acquire_lease = nobody
    with pytest.raises(ApplyError, match="cannot be taken: no route"), blob_lock(blob, lambda: None):
        raise AssertionError("no lock, and went on")
