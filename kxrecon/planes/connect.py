"""Where planes come from: one client per plane, made when it is first used.

Nothing of ``azure`` is imported here; a plane's module, and with it its SDK, is imported by its first
read or write, so a run pays for the services that it asks and for no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kxrecon.errors import PlaneError, UsageError
from kxrecon.model import Answer, Read, Request
from kxrecon.planes import PlaneClient, Wire
from kxrecon.planes.credentials import SharedCredential, credential_for
from kxrecon.planes.failures import to_failure
from kxrecon.planes.hosts import CLOUDS, is_loopback, trusted
from kxrecon.planes.retry import LOOPBACK, Budget, Clock, Retry
from kxrecon.planes.terms import IMPORTING, Recorder, Terms
from kxrecon.scope import Scope


class LazyPlane:
    """A plane that comes into being with its first read or write; safe for threads. ``run`` marks this run's
    requests in the services' own logs."""

    def __init__(self, make: Callable[[], PlaneClient], run: str = "") -> None:
        self._make = make
        self.run = run
        self._plane: PlaneClient | None = None

    @property
    def requests(self) -> int:
        """How many requests were sent; 0 for a plane that was never used."""
        return int(getattr(self._plane, "requests", 0))

    def read(self, read: Read) -> Answer:
        """As ``PlaneClient.read``: a plane that cannot be made (an untrusted host) is a Failure too."""
        try:
            plane = self._made()
        except PlaneError as error:
            return to_failure(error)
        return plane.read(read)

    def write(self, request: Request) -> Mapping[str, Any]:
        """As ``PlaneClient.write``."""
        return self._made().write(request)

    def close(self) -> None:
        """Close the plane if it was made."""
        if self._plane is not None:
            self._plane.close()

    def _made(self) -> PlaneClient:
        if self._plane is not None:
            return self._plane
        with IMPORTING:
            if self._plane is None:
                self._plane = self._make()
            return self._plane


def connect(
    wire: Wire,
    scope: Scope,
    *,
    read_only: bool,
    budget: Budget | None = None,
    secrets: Sequence[str] = (),
    record: Recorder | None = None,
) -> Mapping[str, LazyPlane]:
    """The planes of one run by name (kusto, arm, adls, sql), none of them made yet.

    ``budget`` limits how long calls are retried (default: patient with Azure, brisk on loopback);
    ``secrets`` are masked in all messages; ``record`` is told every request's line. Raises nothing:
    an endpoint that may not be used shows at the first read or write.
    """
    cloud = CLOUDS[scope.cloud]
    local = is_local(wire)
    credential = credential_for(cloud, wire.credential, local=local)
    retry = _retry(wire, budget or (LOOPBACK if local else Budget()), credential)
    terms = Terms(read_only=read_only, retry=retry, secrets=tuple(secrets), record=record)

    def kusto() -> PlaneClient:
        from kxrecon.planes.kusto import KustoPlane

        return KustoPlane(trusted(_cluster(wire, scope), "kusto", cloud), credential, terms)

    def arm() -> PlaneClient:
        from kxrecon.planes.arm import ArmPlane

        return ArmPlane(_played(wire, wire.arm, "arm"), cloud, credential, terms)

    def adls() -> PlaneClient:
        from kxrecon.planes.adls import AdlsPlane

        return AdlsPlane(_played(wire, wire.dfs, "dfs"), cloud, credential, terms)

    def sql() -> PlaneClient:
        from kxrecon.planes.sql import SqlPlane

        return SqlPlane(_sql(wire, scope, credential), terms)

    return {
        name: LazyPlane(make, terms.run)
        for name, make in (("kusto", kusto), ("arm", arm), ("adls", adls), ("sql", sql))
    }


def rehearsing(wire: Wire, scope: Scope, *, secrets: Sequence[str] = ()) -> LazyPlane:
    """A Kusto plane that may also have definitions checked, which needs the right to write and cannot use it
    (planes/rehearsal.py). The planes of ``connect`` refuse to send any."""
    cloud, local = CLOUDS[scope.cloud], is_local(wire)
    credential = credential_for(cloud, wire.credential, local=local)
    retry = _retry(wire, LOOPBACK if local else Budget(), credential)
    terms = Terms(read_only=True, retry=retry, secrets=tuple(secrets), rehearses=True)

    def kusto() -> PlaneClient:
        from kxrecon.planes.kusto import KustoPlane

        return KustoPlane(trusted(_cluster(wire, scope), "kusto", cloud), credential, terms)

    return LazyPlane(kusto)


def is_local(wire: Wire) -> bool:
    """Whether a wire leads to a sandbox: it plays at least one service, all of them on loopback."""
    endpoints = [*wire.kusto.values(), *(one for one in (wire.arm, wire.dfs) if one)]
    return (bool(endpoints) or wire.sql is not None) and all(is_loopback(one) for one in endpoints)


def _retry(wire: Wire, budget: Budget, credential: SharedCredential) -> Retry:
    return Retry(budget, clock=_clock(wire), renew=credential.renew)


def _clock(wire: Wire) -> Clock:
    return Clock() if wire.wait is None else Clock(sleep=wire.wait)


def _cluster(wire: Wire, scope: Scope) -> str:
    """The endpoint of the spec's cluster. A sandbox that does not play it must not let it through to Azure."""
    uri = scope.cluster_uri.rstrip("/")
    if not uri:
        raise UsageError("the spec names no cluster.uri")
    played = {key.rstrip("/").lower(): value for key, value in wire.kusto.items()}
    if uri.lower() in played:
        return played[uri.lower()]
    if is_local(wire):
        raise PlaneError(f"{wire.name} has no cluster {uri}: it is not in its inventory", code="NotPlayed")
    return uri


def _played(wire: Wire, endpoint: str | None, service: str) -> str | None:
    """The endpoint that plays a service; None means Azure itself, which a sandbox never falls back to."""
    if endpoint is None and is_local(wire):
        raise PlaneError(f"{wire.name} does not play {service}", code="NotPlayed")
    return endpoint


def _sql(wire: Wire, scope: Scope, credential: SharedCredential) -> Callable[[str, str], Any]:
    if wire.sql is not None:
        return wire.sql
    if is_local(wire):
        raise PlaneError(f"{wire.name} does not play SQL servers", code="NotPlayed")
    from kxrecon.planes.sql_driver import open_connection

    return lambda server, database: open_connection(server, database, CLOUDS[scope.cloud], credential)
