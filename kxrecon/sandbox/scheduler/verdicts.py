"""What a link of the permission chain says: it holds, it is broken, or it can't be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kxrecon.sandbox.once import once
from kxrecon.sandbox.scheduler.documents import Identity, Job, database_name, identity
from kxrecon.sandbox.scheduler.references import Reads, reads
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """One link: ``holds`` is None where an earlier break leaves nothing to look at. ``details``: why.

    ``permanent``: repeating the run can't help, so the break counts towards the service's seven days.
    """

    link: str
    holds: bool | None
    details: str
    permanent: bool = True


class Broken(Exception):
    """The link does not hold; the text is what the service would say."""

    def __init__(self, details: str, permanent: bool = True) -> None:
        super().__init__(details)
        self.details = details
        self.permanent = permanent


class Unreached(Exception):
    """An earlier link is broken in a way that leaves nothing to check here."""


@dataclass(frozen=True)
class Subject:
    """What the chain is about: one export in one sandbox."""

    world: World
    job: Job

    @property
    def uri(self) -> str:
        """The cluster."""
        return self.job.key[0]

    @property
    def database(self) -> str:
        """The export's own database, as keyed in the store."""
        return self.job.key[1]

    @once
    def cluster(self) -> Document:
        """The cluster's document; empty if there is none."""
        return self.world.store.get("cluster", self.uri) or {}

    @once
    def reads(self) -> Reads:
        """What the query reads."""
        return reads(self.world.store, self.uri, self.database, str(self.job.document["query"]))

    @once
    def facts(self) -> set[tuple[str, str]]:
        """The tables in ``over``, as (database, table); where it is omitted, all that the query reads."""
        named = {(database_name(self.world.store, self.uri, one) or one, table) for one, table in self.job.facts}
        return named or set(self.reads.tables)

    @once
    def identity(self) -> Identity | None:
        """The identity that the export runs as; None if the definition names none."""
        return identity(self.world, self.uri, self.job.identity) if self.job.identity else None

    @once
    def external(self) -> Document | None:
        """The external table, if it exists."""
        name = str(self.job.document["externalTable"])
        return self.world.store.get("external_table", self.uri, self.database, name)

    def target(self) -> Document:
        """The external table; Unreached if there is none."""
        if self.external is None:
            raise Unreached("the external table does not exist")
        return self.external

    def connections(self) -> list[Document]:
        """The connections of the external table."""
        target = self.target()
        return [target["connection"]] if target["kind"] == "sql" else list(target["connections"])

    def connection_identity(self, connection: Document) -> Identity | None:
        """Who opens a connection: the export's identity, its own, or nobody (keys and signatures)."""
        if connection["auth"] == "impersonate":
            if self.identity is None:
                raise Unreached("impersonation without an identity")
            return self.identity
        if connection["auth"] == "managed_identity":
            return identity(self.world, self.uri, connection.get("identity") or "system")
        return None


Link = Callable[[Subject], str]
"""Returns the evidence where the link holds; raises Broken or Unreached."""


def judge(name: str, link: Link, subject: Subject) -> Verdict:
    """The verdict of one link."""
    try:
        return Verdict(name, True, link(subject))
    except Broken as broken:
        return Verdict(name, False, broken.details, broken.permanent)
    except Unreached as unreached:
        return Verdict(name, None, f"not reached: {unreached}")
