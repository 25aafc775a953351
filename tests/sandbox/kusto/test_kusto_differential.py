"""The sandbox's parser against Microsoft's grammar, over documented commands and spoiled ones.

What the documentation shows is accepted; what the grammar refuses is refused. Every exception stands below
with its reason. A text is an exception by a pattern, and each pattern must still be needed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.sandbox.kusto.commands import READS, WRITES
from tests.sandbox.kusto.corrupt import piecewise, variants
from tests.sandbox.kusto.reading import refusal
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR
TITLE = "Kusto's grammar (b): the sandbox's parsers, over documented and spoiled commands"
VECTORS = Path(__file__).parents[2] / "vectors" / "kusto-commands.json"
COMMANDS: list[str] = [entry["command"] for entry in json.loads(VECTORS.read_text("utf-8"))["commands"]]

# What the documentation shows with one of several, or not at all.
MORE = (
    ".create-or-alter continuous-export ['my export'] over (T, ['U V'], W) to table X with (intervalBetweenRuns=1h) <| T",
)

# Documented, and refused by the sandbox: pattern → reason.
REFUSED = {
    r"<\w+[ \w]*>|<[\w-]+>": "a placeholder, which the grammar refuses too",
    r"\{TestDatabase\}": "a placeholder: the grammar takes it for a parameter of a client",
    r"managedIdentity=system\)": "2023's bare word; today's grammar wants a literal",
    r"primarykey = x,": "a bare word; the grammar wants a literal",
    r'"ExternalTables", \n\)': "a trailing comma, which the grammar refuses too",
    r"\n    \| \.\.\.|has v \.\.\. ": "dots for the reader, which the grammar refuses too",
    r"function DeviceEventsView\n": "no parameter list, which the grammar refuses too",
    r"\bfollower database\b": "follower databases are not imitated",
    r"materialized[- ]view \w+ (principal|admins)|materialized view": "materialized views are not imitated",
    r"query_acceleration": "delta tables' query acceleration is not imitated",
    r"extent tags|data statistics|datastats": "extents and statistics are not imitated",
    r"^\.undo drop": "undoing a drop is not imitated",
    r"\.show tables;\n": "statements after a command are not imitated",
    r"policy update": "the update policy is not imitated",
    r"`MyTable`": "quoted with backticks, which the grammar refuses too",
}
# Accepted by the sandbox, and refused by the grammar: pattern → reason.
LENIENT = {
    r"policy ingestiontime false": "documented as true or false; the grammar knows true only",
    r"policy caching[\s\S]*hot_window": "documented for every level; the grammar has it for several tables only",
    r"\.rename tables [\s\S]*ifexists": "documented; the grammar lacks it",
    r"\([^()]*h@'AccountEndpoint[^()]*' h'|\(\s*'h'@'": "documented: adjacent literals are one; the grammar takes a single one",
    r"graph-match|make-graph": "graph operators are only checked for balanced brackets",
    r"\| evaluate ": "arguments of plugins are only checked for balanced brackets",
    r"dynamic\(\[": "the inside of dynamic literals is only checked for balanced brackets",
}


def reason(text: str, known: dict[str, str]) -> str | None:
    return next((pattern for pattern in known if re.search(pattern, text)), None)


def test_documented_commands_are_accepted():
    found = {text: refusal(text) for text in COMMANDS}
    unexplained = {text: why for text, why in found.items() if why is not None and reason(text, REFUSED) is None}
    assert unexplained == {}
    unneeded = {p for p in REFUSED if not any(why and re.search(p, text) for text, why in found.items())}
    assert unneeded == set()
    assert sum(why is None for why in found.values()) > 250
    for text, why in found.items():
        if why is not None:
            tally(TITLE).excuse(f"refused: {REFUSED[str(reason(text, REFUSED))]}")


def test_what_the_grammar_refuses_is_refused():
    whole = list(dict.fromkeys([*COMMANDS, *READS, *WRITES, *MORE]))
    some = (text for command in whole for _, text in variants(command))
    each = (text for command in whole if len(command) < 1500 for text in piecewise(command))
    spoiled = list(dict.fromkeys([*some, *each]))
    accepted = [text for text in [*whole, *spoiled] if refusal(text) is None]
    lenient = [text for text in accepted if not judge(text, tokens=False).accepted]
    assert {text: None for text in lenient if reason(text, LENIENT) is None} == {}
    assert len(spoiled) > 25_000
    counted = tally(TITLE)
    counted.count("documented commands and those of the sandbox's grammar", len(whole))
    counted.count("spoiled variants of them", len(spoiled))
    counted.count("variants accepted by the sandbox, so judged by the grammar", len(accepted) - len(whole))
    for text in lenient:
        counted.excuse(f"accepted: {LENIENT[str(reason(text, LENIENT))]}")


@pytest.mark.parametrize("pattern", LENIENT)
def test_each_reason_names_a_real_disagreement(pattern):
    """A sample per reason, so that a newer grammar makes the list shrink."""
    sample = {
        r"policy ingestiontime false": ".alter table T policy ingestiontime false",
        r"policy caching[\s\S]*hot_window": ".alter table T policy caching hot = 1d, hot_window = datetime(2021-01-01) .. datetime(2021-02-01)",
        r"\.rename tables [\s\S]*ifexists": ".rename tables A=B ifexists",
        r"\([^()]*h@'AccountEndpoint[^()]*' h'|\(\s*'h'@'": ".create external table T (x:long) kind=sql (h@'AccountEndpoint=https://a.documents.azure.com/;AccountKey=' h'k;')",
        r"graph-match|make-graph": ".create function F() { T | make-graph a b }",
        r"\| evaluate ": ".create function F() { T | evaluate pivot(a a) }",
        r"dynamic\(\[": ".create function F() { print dynamic([1 2 x]) }",
    }[pattern]
    assert refusal(sample) is None
    assert not judge(sample, tokens=False).accepted
