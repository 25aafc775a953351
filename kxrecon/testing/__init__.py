"""The test kit: a repository of specs tests them on an embedded Azure of its own, offline and in seconds.

With pytest, ask for the fixture ``kxrecon_sandbox`` (it comes with the package); anywhere else::

    from kxrecon.testing import open_sandbox

    with open_sandbox() as sandbox:
        assert sandbox.apply("specs/prod.yaml").converged

Every verb runs as a pipeline runs it, through ``kxrecon.cli`` and the real SDKs. See docs/test-kit.md.
"""

from kxrecon.sandbox.forecast import Event, Rule
from kxrecon.sandbox.scheduler import Run
from kxrecon.testing.sandbox import Sandbox, open_sandbox
from kxrecon.testing.words import Artifact, Export, Failure, Grant, Planned, Refused, Sent, Told

__all__ = [
    "Artifact",
    "Event",
    "Export",
    "Failure",
    "Grant",
    "Planned",
    "Refused",
    "Rule",
    "Run",
    "Sandbox",
    "Sent",
    "Told",
    "open_sandbox",
]
