"""Every command that the probes send, to the last one that clears up, is a command to Microsoft's grammar."""

from __future__ import annotations

from tests.probe.world import EVERYTHING, WORLD, probe
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR


def test_what_probes_send_are_commands(kxrecon_sandbox):
    kxrecon_sandbox.stock(WORLD)
    told, report = probe(kxrecon_sandbox, *EVERYTHING, "--record", "--yes")
    assert told.code == 0 and {one["result"] for one in report["found"]} == {"told"}
    texts = {one.text for one in told.requests if one.text.startswith(".")}
    wrong = {text: verdict.syntax for text in texts for verdict in [judge(text, tokens=False)] if not verdict.accepted}
    assert wrong == {}
    assert {text.split()[0] for text in texts} >= {".show", ".set", ".drop", ".execute", ".delete", ".enable", ".add"}
    tally("Kusto's grammar (a): what probes send").count("commands judged", len(texts))
