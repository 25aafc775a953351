"""Chains as a picture: what an export reads, writes and runs as, and which link each arrow stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from kxrecon.model import Hidden
from kxrecon.verdicts import Chain, Edge, Node, Picture, Verdict, worst
from kxrecon.verify.content import fact_tables
from kxrecon.verify.known import Subject


def picture(drawn: Iterable[tuple[Subject, Chain]]) -> Picture:
    """The picture of some exports; what several share is there once, with its worst verdict."""
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str, str], dict[str, Verdict]] = {}
    for subject, chain in drawn:
        for part in _parts(subject, chain):
            if isinstance(part, Node):
                nodes.setdefault(part.id, part)
            else:
                mine = edges.setdefault((part.source, part.target, part.label), {})
                before = [mine[chain.export]] if chain.export in mine else []
                mine[chain.export] = worst([*before, part.verdict])
    found = (
        Edge(*ends, worst(list(each.values())), tuple((_export(name), said) for name, said in each.items()))
        for ends, each in edges.items()
    )
    return Picture(tuple(nodes.values()), tuple(found))


def _export(label: str) -> str:
    return f"export {label}"


def _parts(subject: Subject, chain: Chain) -> Iterator[Node | Edge]:
    said: Mapping[str, Verdict] = {link.name: link.verdict for link in chain.links}

    def of(*names: str) -> Verdict:
        return worst([said[name] for name in names if name in said])

    export = _export(chain.export)
    yield Node(export, "export", chain.export)
    for name in fact_tables(subject):
        label = f"{subject.database}/{name}"
        yield Node(f"table {label}", "table", label)
        yield Edge(f"table {label}", export, "read by", of("facts"))
    to = f"{subject.database}/{subject.export.fields.get('to')}"
    table = f"external-table {to}"
    yield Node(table, "external-table", to)
    yield Edge(export, table, "writes to", of("external-table", "schema", "job"))
    places = [_place(one) for one in subject.connections]
    for place in places:
        yield Node(f"target {place}", "target", place)
        yield Edge(table, f"target {place}", "lies in", of("authentication", "target", "network", "callout"))
    if isinstance(subject.identity, str):
        yield from _identity(subject, export, places, of)


def _identity(subject: Subject, export: str, places: list[str], of: Callable[..., Verdict]) -> Iterator[Node | Edge]:
    identity = f"identity {subject.identity}"
    yield Node(identity, "identity", str(subject.identity))
    yield Edge(export, identity, "runs as", of("cluster", "identity", "policy"))
    for database in sorted(subject.reads):
        yield Node(f"database {database}", "database", database)
        yield Edge(identity, f"database {database}", "may read", of("role"))
    for place in places:
        yield Edge(identity, f"target {place}", "may write", of("grant"))


def _place(connection: Mapping[str, object]) -> str:
    where = connection.get("uri") or f"{connection.get('server')}/{connection.get('database')}"
    return "(masked)" if isinstance(where, Hidden) else str(where)
