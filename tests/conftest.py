"""What every test run does beside its tests: it lets ARM's contract judge, and reports what the witnesses saw."""

from __future__ import annotations

import pytest
from azure.kusto.data._cloud_settings import CloudSettings
from hypothesis import settings

from kxrecon import cli
from tests.witness import tally

# A busy machine is no failure: how long an example takes says nothing here.
settings.register_profile("kxrecon", deadline=None)
settings.load_profile("kxrecon")


def pytest_sessionfinish(session):
    """A worker hands its counts to the process that prints."""
    handed = getattr(session.config, "workeroutput", None)
    if handed is not None:
        handed["witnesses"] = tally.document()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """The counts of a worker that is done."""
    tally.join((getattr(node, "workeroutput", None) or {}).get("witnesses") or {})


def pytest_terminal_summary(terminalreporter):
    """One section for each witness, and one if no browser was there; pytest's own summary still ends the run."""
    for name, lines in tally.sections():
        terminalreporter.section(f"witness: {name}")
        for line in lines:
            terminalreporter.write_line(line)
    if any(one.nodeid.startswith("tests/pages/") for one in terminalreporter.stats.get("skipped", ())):
        terminalreporter.section("no browser")
        terminalreporter.write_line("pages were not looked at in a browser: apt-get install chromium")


@pytest.fixture(scope="session", autouse=True)
def _watch():
    """ARM's contract sees every exchange between an SDK and an embedded sandbox of this process."""
    from tests.witness.arm.recorder import Watch

    with Watch().watching() as watch:
        yield watch


@pytest.fixture(scope="session", autouse=True)
def _ear():
    """Kusto's grammar sees every command and read of kxrecon to an embedded sandbox of this process."""
    from tests.witness.grammar.watch import Watch

    with Watch().watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def _fresh():
    """azure-kusto-data remembers a cluster by host and port, and ports come again: a later test's cluster is another."""
    CloudSettings._cloud_cache.clear()


@pytest.fixture(autouse=True)
def _judged(_watch, _ear):
    """What a test made the two say to each other is judged when it ends."""
    yield
    findings = _watch.judged()
    assert not findings, "ARM's contract does not allow:\n" + "\n".join(sorted({str(one) for one in findings}))
    said = _ear.judged()
    assert not said, "Kusto's grammar has:\n" + "\n".join(said)


@pytest.fixture
def call(capsys):
    """Run a command line in this process: its exit code, what it printed, what it said beside that."""

    def call(*argv):
        code = cli.main([*argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
