"""The ledger of a spec, if it has one: where it lies, and open for one run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands._files import LEDGER, STATE
from kxrecon.commands._wire import wire_name
from kxrecon.errors import PlanError, UsageError
from kxrecon.model import Finding
from kxrecon.planes import AZURE

if TYPE_CHECKING:
    from kxrecon.ledger.book import Book, Keeper
    from kxrecon.model import Plane, State
    from kxrecon.plan import Draft
    from kxrecon.planes import PlaneClient
    from kxrecon.spec import Spec

OFF = "off"
# Who started a pipeline, where its machine's user says nothing.
_ACTORS = ("KXRECON_ACTOR", "GITHUB_ACTOR", "BUILD_REQUESTEDFOR", "GITLAB_USER_LOGIN")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--ledger``."""
    parser.add_argument(
        "--ledger",
        metavar="WHERE",
        help=f"instead of the spec's ledger: file[:PATH] (default {LEDGER}), table:DATABASE, or off",
    )


def opened(options: argparse.Namespace, spec: Spec, clients: Mapping[Plane, PlaneClient]) -> Book | None:
    """The ledger that the command line or the spec names, as it is now; None if neither names one."""
    place = _place(options, spec)
    if place is None:
        return None
    import hashlib

    from kxrecon.ledger.book import Book
    from kxrecon.ledger.file import LedgerFile
    from kxrecon.ledger.seal import KEY, Seal

    kind, where = place
    uri = spec.scope.cluster_uri.lower()
    wire = wire_name(options)
    keeper: Keeper
    if kind == "table":
        from kxrecon.ledger.table import LedgerTable

        cluster = uri
        keeper = LedgerTable(where, clients["kusto"], cluster)
    else:
        # A file may see Azure and sandboxes; a table is in the one or the other.
        cluster = uri if wire == AZURE.name else f"{wire} {uri}"
        keeper = LedgerFile(Path(where))
    unsent = hashlib.sha256(f"{wire} {uri} {spec.name}".encode()).hexdigest()[:16]
    return Book(
        keeper,
        LedgerFile(STATE / f"ledger-unsent-{unsent}.jsonl"),
        cluster,
        spec.name,
        Seal(cluster, os.environ.get(KEY, ""), spec.secrets),
        takes_over=tuple((spec.document.get("ledger") or {}).get("takesOver") or ()),
        run=str(getattr(clients["kusto"], "run", "")),
        adopts=bool(getattr(options, "adopt", False)),
    )


def _place(options: argparse.Namespace, spec: Spec) -> tuple[str, str] | None:
    """``file`` and its path, or ``table`` and its database."""
    chosen = getattr(options, "ledger", None)
    if chosen is None:
        section = spec.document.get("ledger") or {}
        if "database" in section:
            return "table", str(section["database"])
        return ("file", str(_beside(spec, section["file"]))) if "file" in section else None
    kind, _, where = chosen.partition(":")
    if chosen == OFF:
        return None
    if kind == "file":
        return "file", where or str(LEDGER)
    if kind == "table" and where:
        return "table", where
    raise UsageError(f"--ledger takes file, file:PATH, table:DATABASE or off, not {chosen!r}")


def _beside(spec: Spec, path: str) -> Path:
    """A path of a spec begins where the file lies that says it."""
    place = spec.place(("ledger", "file"))
    return Path(place.file).parent / path if place is not None else Path(path)


def actor(environ: Mapping[str, str] = os.environ) -> str:
    """Who applies, for the history: ``ada on runner-7``."""
    import socket

    from kxrecon.lock import owner

    who = next((environ[name] for name in _ACTORS if environ.get(name)), "") or owner()["user"]
    return f"{who} on {socket.gethostname()}"


def consulted(book: Book, desired: State, observed: State, clients: Mapping[Plane, PlaneClient]) -> State:
    """The observed state with the ledger's marks, once the ledger has seen both sides.

    Raises PlanError where the spec states what another one wrote.
    """
    book.look(clients["kusto"])
    book.see(desired, observed)
    claims = list(book.owners.claims(desired, observed))
    if claims:
        raise PlanError("nothing was planned:\n" + "\n".join(f"  {one}" for one in claims))
    return book.owners.marked(observed)


def told(options: argparse.Namespace, book: Book, made: Draft, desired: State, observed: State) -> Iterator[Finding]:
    """What the ledger adds to a plan: what is wrong with it, whose things are in doubt, and where changes come from.

    ``plan`` tells what somebody changed on the cluster, since it would be overwritten; ``drift`` what is pending too.
    """
    from kxrecon.ledger.origin import Origins, findings
    from kxrecon.origin import changes

    yield from book.findings(desired, observed)
    for ref, message in book.owners.doubled(desired, observed):
        yield Finding("blocked", ref, message, "take one of the two marks away")
    origins = Origins(book.owners, book.seal, desired, book.witness.since)
    sides = ("drift", "pending") if getattr(options, "verb", "") == "drift" else ("drift",)
    yield from (one for one in findings(changes(made.actions), origins) if one.kind in sides)
