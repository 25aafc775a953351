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


@pytest.mark.parametrize("state", ["bare", "converged", "broken"])
@pytest.mark.parametrize("verb", ["plan", "drift", "plan --server-check", "lint --connected", "lint --server-check"])
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
    verb, *options = verb.split()
    assert seeded.on(verb, seeded.seed, *options)[0] in (0, 2)
    rehearsed = [one for one in recorded if not one.is_read]
    assert recorded and all("dryRun=true" in one.text for one in rehearsed)
    assert bool(rehearsed) == (options == ["--server-check"] and state != "converged")
    assert documents(seeded.folder) == before


def test_verbs_without_a_cluster_send_nothing(desk, recorded):
    for verb in ("validate", "render"):
        assert desk.run(verb, desk.seed)[0] == 0
    assert recorded == []
