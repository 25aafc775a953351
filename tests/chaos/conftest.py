"""What crashes leave behind is swept up before anybody else can stumble over it."""

from __future__ import annotations

import gc
import threading
import warnings

import pytest


@pytest.fixture(autouse=True)
def swept():
    """Who is killed closes nothing: connections in flight are collected here, without the warning they deserve."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("LROPoller", "apply", "read")):
            thread.join(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
