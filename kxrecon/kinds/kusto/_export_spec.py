"""A continuous export between spec and entity: what ``desire`` reads, and ``describe`` writes back.

Ranges: learn.microsoft.com, Create or alter continuous export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kxrecon import kql
from kxrecon.kinds.kusto._draft import Draft
from kxrecon.model import Entity, Hidden
from kxrecon.scope import Scope

DISTRIBUTIONS = ("per_node", "single", "per_shard")
DISTRIBUTION_KINDS = ("default", "uniform")
# Whether Kusto counts a megabyte as 10^6 or 2^20 is documented nowhere: the wider range is let through.
SIZES = (100 * 10**6, 2**30)
_ATTRIBUTES = ("grants", "role", "policyScope", "renamedFrom", "backfill")


def read(draft: Draft, doc: Mapping[str, Any], scope: Scope) -> None:
    """Fill the draft from a spec entry."""
    _read_flow(draft, doc)
    _read_times(draft, doc)
    _read_sizes(draft, doc)
    _read_distribution(draft, doc)
    draft.flag(doc, "isDisabled")
    if doc.get("managedIdentity") is not None:
        found = draft.identity(str(doc["managedIdentity"]), scope, "managedIdentity")
        draft.fields["managedIdentity"] = found
    reads = doc.get("reads")
    draft.attributes["grants"] = doc.get("grants") or "ensure"
    draft.attributes["reads"] = None if reads is None else tuple(str(name) for name in reads)
    draft.attributes.update({name: doc[name] for name in _ATTRIBUTES[1:] if doc.get(name) is not None})


def _read_flow(draft: Draft, doc: Mapping[str, Any]) -> None:
    """What is exported, and where to."""
    if doc.get("over"):
        names = [doc["over"]] if isinstance(doc["over"], str) else doc["over"]
        draft.fields["over"] = tuple(sorted({str(name) for name in names}))
    if doc.get("to") is None:
        draft.wrong("where to? state to: an external table", "to")
    else:
        draft.fields["to"] = str(doc["to"])
    query = doc.get("query")
    if not isinstance(query, str) or not query.strip():
        draft.wrong("a continuous export needs query: or queryFile:", "query")
    else:
        draft.fields["query"] = kql.normalise_query(query)


def _read_times(draft: Draft, doc: Mapping[str, Any]) -> None:
    for name in ("intervalBetweenRuns", "forcedLatency"):
        written = doc.get(name)
        if written is None:
            continue
        ticks = kql.parse_timespan(written) if isinstance(written, str) else None
        if ticks is None:
            draft.wrong(f"{name} is no timespan: {written!r}", name, remedy="such as 10m, 1h, 1.5d or 00:10:00")
        elif ticks < 0:
            draft.wrong(f"{name} cannot be negative: {written}", name)
        else:
            draft.fields[name] = ticks
    interval = draft.fields.get("intervalBetweenRuns")
    if interval is None:
        if doc.get("intervalBetweenRuns") is None:
            draft.wrong("intervalBetweenRuns is missing", "intervalBetweenRuns", remedy="several minutes, such as 10m")
    elif 0 <= interval < kql.MINUTE:
        message = f"intervalBetweenRuns {doc['intervalBetweenRuns']} is under a minute"
        draft.wrong(message, "intervalBetweenRuns", remedy="1m at least; several minutes are recommended")
    elif interval == kql.MINUTE:
        message = "intervalBetweenRuns of exactly 1 minute: Kusto's pages disagree whether it is allowed"
        draft.wrong(message, "intervalBetweenRuns", severity="note")


def _read_sizes(draft: Draft, doc: Mapping[str, Any]) -> None:
    for name, (least, most) in {"sizeLimit": SIZES, "parquetRowGroupSize": (1, 2**31 - 1)}.items():
        written = doc.get(name)
        if written is None:
            continue
        if not isinstance(written, int) or isinstance(written, bool):
            draft.wrong(f"{name} is a whole number, not {written!r}", name)
        elif not least <= written <= most:
            unit = " bytes (100 MB to 1 GB)" if name == "sizeLimit" else ""
            draft.wrong(f"{name} {written} is not between {least} and {most}{unit}", name)
        else:
            draft.fields[name] = written


def _read_distribution(draft: Draft, doc: Mapping[str, Any]) -> None:
    """``distributed: false`` and ``distribution: single`` say the same; either brings the other along."""
    draft.flag(doc, "distributed")
    draft.choice(doc, "distribution", DISTRIBUTIONS)
    draft.choice(doc, "distributionKind", DISTRIBUTION_KINDS)
    distributed, distribution = draft.fields.get("distributed"), draft.fields.get("distribution")
    if distribution is not None:
        if distributed is not None and distributed == (distribution == "single"):
            draft.wrong(f"distributed: {kql.literal(distributed)} contradicts {distribution}", "distribution")
        draft.fields["distributed"] = distribution != "single"
    elif distributed is False:
        draft.fields["distribution"] = "single"


def write(entity: Entity) -> dict[str, Any]:
    """The spec entry of an entity; what could not be read is left out, as is what only the service knows."""
    fields = {name: value for name, value in entity.fields.items() if value is not None}
    doc: dict[str, Any] = {}
    if "over" in fields:
        doc["over"] = list(fields["over"])
    for name in ("to", "query", "managedIdentity", "sizeLimit", "distributed", "distribution", "distributionKind"):
        if name in fields and not isinstance(fields[name], Hidden):
            doc[name] = fields[name]
    for name in ("intervalBetweenRuns", "forcedLatency"):
        if name in fields:
            doc[name] = kql.show_timespan(fields[name])
    doc.update({name: fields[name] for name in ("parquetRowGroupSize", "isDisabled") if name in fields})
    return doc
