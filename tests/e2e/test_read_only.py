"""Peer failure 15: verbs that only look send only what only looks, whatever state they find."""

from __future__ import annotations

import functools

import pytest

from kxrecon.sandbox import embedded
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.weather import named
from tests.dumps import dump
from tests.ground import Sent


@pytest.fixture
def recorded(monkeypatch):
    """Everything that arrives at the sandbox."""
    sent: list[Sent] = []

    def record(service, app):
        def served(environ, start_response):
            operation, body = named(service, environ), environ["wsgi.input"]
            text = body.getvalue().decode() if service.startswith("https") else ""
            sent.append(Sent(service, environ["REQUEST_METHOD"], operation, text))
            return app(environ, start_response)

        return served

    monkeypatch.setattr(embedded, "embed", functools.partial(embedded.embed, middleware=record))
    return sent


def documents(folder):
    store = Store(folder / ".kxrecon" / "sandbox.db")
    try:
        return dump(store._db.execute("SELECT kind, key, body FROM document").fetchall())
    finally:
        store.close()


VERBS = (
    "plan SPEC",
    "plan SPEC --server-check",
    "plan SPEC --html page.html",
    "plan SPEC --ledger file:ledger.jsonl",
    "drift SPEC --blame",
    "drift SPEC --ledger table:Telemetry",
    "lint SPEC --connected",
    "lint SPEC --server-check",
    "verify SPEC",
    "verify --cluster CLUSTER --all",
    "status SPEC --artifacts",
    "status SPEC --html page.html",
    "explain SPEC Telemetry/EventsToBlob",
    "graph SPEC",
    "permissions SPEC --check",
    "history SPEC --ledger table:Telemetry",
    "import --cluster CLUSTER --out taken",
)
REHEARSES = "--server-check"


def words(verb: str, spec: str) -> list[str]:
    known = {"SPEC": spec, "CLUSTER": "https://telemetry.westeurope.kusto.windows.net"}
    return [known.get(word, word) for word in verb.split()]


@pytest.mark.parametrize("state", ["bare", "converged", "broken"])
@pytest.mark.parametrize("verb", VERBS)
def test_verbs_that_look_only_read(seeded, recorded, state, verb):
    if state == "bare":
        for path in (seeded.folder / ".kxrecon").glob("sandbox.db*"):
            path.unlink()
        seeded.on("plan", seeded.seed)
    if state == "broken":
        seeded.drop("external_table", "EventsLake")
        seeded.drop("role_assignment", "archive")
    before = documents(seeded.folder)
    recorded.clear()
    code, told = seeded.on(*words(verb, seeded.seed))
    assert code in (0, 1, 2) and "unexpected" not in told, told
    rehearsed = [one for one in recorded if not one.is_read]
    assert recorded and all("dryRun=true" in one.text for one in rehearsed)
    assert bool(rehearsed) == (verb.endswith(REHEARSES) and state != "converged")
    # A bare sandbox makes a directory when it is first asked for.
    left = {key: one for key, one in documents(seeded.folder).items() if key in before or not key.startswith("path ")}
    assert left == before


def test_verbs_without_a_cluster_send_nothing(desk, recorded):
    for verb in ("validate", "render"):
        assert desk.run(verb, desk.seed)[0] == 0
    assert recorded == []
