"""The sandbox's scheduler: runs continuous exports as Azure Data Explorer would, and says why one would fail.

``tick`` runs what is due, ``why`` judges each link of an export's permission chain, ``ingest`` adds rows,
``export`` runs what ``.export to table`` asks for.
"""

from kxrecon.sandbox.scheduler.asked import export
from kxrecon.sandbox.scheduler.chain import why
from kxrecon.sandbox.scheduler.ingestion import ingest
from kxrecon.sandbox.scheduler.run import Run
from kxrecon.sandbox.scheduler.schedule import next_due, tick
from kxrecon.sandbox.scheduler.verdicts import Verdict

__all__ = ["Run", "Verdict", "export", "ingest", "next_due", "tick", "why"]
