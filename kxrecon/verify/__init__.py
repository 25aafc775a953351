"""Proof: the permission chain of every export, link by link, and how its runs go. Reads only.

``estate.survey`` asks everything, ``chain.chains`` judges it without any I/O.
"""

from __future__ import annotations

from kxrecon.verify.chain import chain, chains
from kxrecon.verify.estate import survey
from kxrecon.verify.known import Known, Subject

__all__ = ["Known", "Subject", "chain", "chains", "survey"]
