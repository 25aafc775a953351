"""How many operations of a sort the cluster runs at the same time ("learn.microsoft.com, .show capacity").

Imitated is the capacity for exports, which continuous exports share with ``.export`` ("Capacity policy": the
smaller of ``ClusterMaximumConcurrentOperations`` and nodes × max(1, cores of a node × ``CoreUtilizationCoefficient``)).
"""

from __future__ import annotations

from typing import Any

from kxrecon.sandbox.kusto import operations, permissions
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.session import Session

CAPACITY = columns("Resource:string, Total:long, Consumed:long, Remaining:long")
CORES = 2
"""Of each node, as ``.show cluster`` has it."""
MOST, COEFFICIENT = 100, 0.25
MANY = 4
"""Nodes from which the admin node is not counted."""


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show capacity [data-export]``: exports under way are those of ``.export``; a tick's begin and end in it."""
    permissions.require(session, permissions.USE, "CapacityShow")
    nodes = int((session.cluster.get("sku") or {}).get("capacity") or 2)
    counted = nodes - 1 if nodes >= MANY else nodes
    total = min(MOST, counted * max(1, int(CORES * COEFFICIENT)))
    consumed = min(total, operations.under_way(session))
    return answer(CAPACITY, [["DataExport", total, consumed, total - consumed]])


COMMANDS = {"capacity_show": show}
