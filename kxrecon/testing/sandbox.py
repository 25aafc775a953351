"""A sandbox under test: kxrecon's verbs on it, its weather and clock, and what exports did in it."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from kxrecon.kql import identifier
from kxrecon.sandbox import switches
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.embedded import private
from kxrecon.sandbox.forecast import Forecast, Occasion, Rule
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.kusto.values import ticks
from kxrecon.sandbox.scheduler import Run, ingest, tick
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.watch import Watch, watching
from kxrecon.sandbox.world import World
from kxrecon.testing.operations import check_operation
from kxrecon.testing.raw import grants, kql, send
from kxrecon.testing.rows import Row, stored
from kxrecon.testing.words import Artifact, Export, Failure, Grant, Planned, Sent, Told

_NEVER = timedelta()


@contextmanager
def open_sandbox(folder: Path | str | None = None, *, root: Path | str = ".") -> Iterator[Sandbox]:
    """A fresh sandbox for as long as the block runs.

    ``folder`` keeps its files (default: a temporary folder that is removed); a folder that holds a sandbox
    already is opened as it is. ``root``: where relative paths of specs begin.
    """
    with contextlib.ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        path = place / ".kxrecon" / "sandbox.db"
        private(path)
        store = Store(path)
        stack.callback(store.close)
        yield Sandbox(World(store, Clock(store)), place, Path(root).resolve())


class Sandbox:
    """An embedded Azure and kxrecon on it. Use one in one test; commands change the working directory while they run.

    ``echo`` is told what each verb printed; pytest shows it with a test that failed.
    """

    def __init__(self, world: World, folder: Path, root: Path, echo: Callable[[str], object] = print) -> None:
        self.folder, self.root = folder, root
        self.file = folder / ".kxrecon" / "sandbox.db"
        self._world, self._echo = world, echo
        self._forecast = Forecast()

    # ---- kxrecon's verbs
    def plan(self, *specs: str | Path, variables: Mapping[str, str] | None = None) -> Planned:
        """``kxrecon plan``: what would change. Never writes; ``code`` is 1 for a spec that is wrong."""
        saved = self.folder / ".kxrecon" / "plan.json"
        saved.unlink(missing_ok=True)
        told = self.run("plan", *self._paths(specs), *_values(variables))
        if not saved.exists():
            return Planned(told.code, told.text, told.requests)
        from kxrecon import planfile

        plan = planfile.load(saved)
        actions = tuple(f"{action.verb} {ref}" for action in plan.actions for ref in action.refs)
        found = tuple(f"{finding.kind}: {finding.message}" for finding in plan.findings)
        return Planned(told.code, told.text, told.requests, actions, found)

    def apply(self, *specs: str | Path, variables: Mapping[str, str] | None = None, allow: Sequence[str] = ()) -> Told:
        """``kxrecon apply --yes``; ``allow`` as ``--allow``. Exit code 0: converged, 2: the rest is for others."""
        allowed = [word for hazard in allow for word in ("--allow", hazard)]
        return self.run("apply", *self._paths(specs), *_values(variables), "--yes", *allowed)

    def drift(self, *specs: str | Path, variables: Mapping[str, str] | None = None) -> Told:
        """``kxrecon drift``: exit code 0 if nothing differs, 2 if something does, 1 if that could not be told."""
        return self.run("drift", *self._paths(specs), *_values(variables))

    def run(self, verb: str, *arguments: str) -> Told:
        """Any verb, with its arguments as on the command line (paths absolute); ``--sandbox-file`` is added."""
        from kxrecon import cli

        sent: list[Sent] = []

        def seen(request: Occasion) -> None:
            event = self._forecast.event(request)
            met = event.kind if event else ""
            sent.append(Sent(request.service, request.method, request.operation, request.text, met))

        printed = io.StringIO()
        with (
            watching(self.file, Watch(self._forecast, seen)),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            code = cli.main([verb, *arguments, "--sandbox-file", str(self.file)])
        self._echo(f"$ kxrecon {' '.join((verb, *arguments))}\n{printed.getvalue()}[exit code {code}]\n")
        return Told(code, printed.getvalue(), tuple(sent))

    def _paths(self, specs: Sequence[str | Path]) -> list[str]:
        return [str(self.root / one) for one in specs]

    # ---- the world, before and between
    def stock(self, inventory: Mapping[str, Any]) -> None:
        """Add what exists already (``kxrecon sandbox inventory SPEC`` prints the form), or, with ``"strict": true``,
        say that nothing else does. Raises InventoryError (a ValueError) for an entry that is not usable."""
        stock(self._world, inventory)

    def switch(self, **settings: Any) -> None:
        """Turn switches of unconfirmed facts (docs/sandbox.md), as ``switch(cursor_on_alter="reset")``.

        Raises TypeError for a switch that does not exist, ValueError for a value that it does not have.
        """
        switches.save(self._world.store, switches.turned(switches.load(self._world.store), **settings))

    def weather(self, *rules: Rule, seed: int = 0) -> None:
        """What the verbs from now on meet; without rules the sky is clear again. ``Rule.at`` counts the requests
        of an operation from 1 within each verb. ``Told.struck`` tells which requests met it. What a service asks to
        wait (``retry_after``) passes on the sandbox's clock. Raises ValueError for a rule that could never strike."""
        for rule in rules:
            check_operation(rule.operation)
        self._forecast = Forecast(rules, seed)

    def kql(self, text: str, database: str = "", *, cluster: str = "") -> list[dict[str, Any]]:
        """Send a management command (it starts with a dot) or a query, as somebody else would, past all weather.

        ``database`` and ``cluster`` may be left out where the sandbox has one. Returns the rows of the first
        table. Raises Refused with Kusto's words.
        """
        return kql(self._world, cluster, database, text)

    def arm(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to Azure Resource Manager, as somebody else would; ``path`` with its ``api-version``.

        Returns the JSON of the answer, None if it is empty. Raises Refused.
        """
        return send(self._world, method, path, body)

    def grants(self, role: str = "", scope: str = "") -> list[Grant]:
        """The Azure role assignments: those of a role (its name) whose scope ends with ``scope``; letter case is
        ignored in both."""
        return grants(self._world, role, scope)

    def revoke(self, grant: Grant) -> None:
        """Delete a role assignment, as somebody else would. Raises Refused if it is gone already."""
        send(self._world, "DELETE", f"{grant.id}?api-version=2022-04-01")

    # ---- time, rows, runs
    def advance(self, by: timedelta | str) -> None:
        """Move the sandbox's clock on, by a timedelta or as ``10m``, ``1h``, ``7d``; nothing runs by that alone."""
        self._world.clock.advance(by if isinstance(by, timedelta) else _span(by))

    def tick(self, advance: timedelta | str = _NEVER) -> list[Run]:
        """Move the clock, then let every export that is due run once, as the service would; what each run did."""
        self.advance(advance)
        return tick(self._world.store, self._world.clock, self.folder / ".kxrecon" / "sandbox.files")

    def ingest(self, table: str, rows: Sequence[Row], database: str = "", *, cluster: str = "") -> None:
        """Add rows to a table: values in the order of its columns, or mappings by column.

        A cell is None or what its column's type holds: text, numbers, bool, datetime, timedelta, Decimal, UUID, ISO
        texts for a datetime, Kusto's texts for a timespan, any JSON for dynamic. Raises KeyError where the table does
        not exist, ValueError that names row and column for a cell that does not fit or a column that is not there.
        """
        uri, name = self._place("table", table, database, cluster)
        document = self._world.store.get("table", uri, name, table) or {}
        columns = [(str(column), str(kind)) for column, kind in document["columns"]]
        cells = [stored(row, columns, f"{table}, row {number}") for number, row in enumerate(rows, 1)]
        ingest(self._world.store, self._world.clock, uri, name, table, cells)

    def _place(self, kind: str, entity: str, database: str, cluster: str) -> tuple[str, str]:
        """Cluster and database of the one entity of this name. Raises KeyError if there is none, or several."""
        found = [
            (key[0], key[1])
            for key, _ in self._world.store.all(kind)
            if key[2] == entity and database in ("", key[1]) and cluster.rstrip("/").lower() in ("", key[0])
        ]
        if len(found) != 1:
            where = ", ".join(f"{uri} {name}" for uri, name in found) or "nowhere in this sandbox"
            raise KeyError(f"{kind} {entity!r} is in {where}; name its database and cluster")
        return found[0]

    # ---- what exports did
    def exports(self) -> list[Export]:
        """Every continuous export, by name of database and export."""
        return [
            Export(
                key[2],
                key[1],
                str(one["externalTable"]),
                bool(one["isDisabled"]),
                int(one["cursor"] or 0),
                one["exportedTo"],
                one["lastRunTime"],
                one["lastRunResult"],
            )
            for key, one in self._world.store.all("continuous_export")
        ]

    def export(self, name: str, database: str = "", *, cluster: str = "") -> Export:
        """One continuous export. Raises KeyError if there is none of this name, or several."""
        _, where = self._place("continuous_export", name, database, cluster)
        return next(one for one in self.exports() if (one.name, one.database) == (name, where))

    def artifacts(self, export: str, database: str = "", *, cluster: str = "") -> list[Artifact]:
        """What the runs of an export wrote, newest first."""
        uri, where = self._place("continuous_export", export, database, cluster)
        rows = self.kql(f".show continuous-export {identifier(export)} exported-artifacts", where, cluster=uri)
        return [Artifact(one["Path"], int(one["NumRecords"]), one["Timestamp"]) for one in rows]

    def failures(self, export: str, database: str = "", *, cluster: str = "") -> list[Failure]:
        """The failed runs of an export, newest first."""
        uri, where = self._place("continuous_export", export, database, cluster)
        rows = self.kql(f".show continuous-export {identifier(export)} failures", where, cluster=uri)
        return [Failure(one["FailureKind"], one["Details"], one["Timestamp"]) for one in rows]


def _values(variables: Mapping[str, str] | None) -> list[str]:
    return [word for name, value in (variables or {}).items() for word in ("--var", f"{name}={value}")]


def _span(text: str) -> timedelta:
    try:
        return timedelta(microseconds=ticks(text) / 10)
    except ValueError:
        raise ValueError(f"{text!r} is no span: as 10m, 1.5h, 7d or 01:30:00") from None
