"""The exit codes, once for all verbs."""

from __future__ import annotations

DONE = 0  # nothing to do, or done
FAILED = 1  # usage errors included
PENDING = 2  # changes are pending: drift, or plan --detailed-exitcode
UNEXPECTED = 3  # a defect of kxrecon; a log file has the traceback
INTERRUPTED = 130  # Ctrl-C, SIGTERM
