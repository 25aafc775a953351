"""What the benchmark measures, each in a process of its own: ``python -m tests.benchmarks.cases CASE SPEC ANSWERS``.

Prints one JSON line: seconds since the process began, peak MiB, requests sent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def _since_start() -> float:
    """Seconds since this process was created, interpreter start-up included."""
    ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])  # noqa: SIM115
    uptime = float(open("/proc/uptime").read().split()[0])  # noqa: SIM115
    return uptime - ticks / os.sysconf("SC_CLK_TCK")


def _peak_mib() -> float:
    """The largest resident size of this program; getrusage would count the parent's before exec as well."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def floor(spec: str, answers: str) -> int:
    """C parser events → dict, decode the answers, compare keyed dicts: what no reconciler can go below."""
    import gc

    gc.disable()
    tree = _tree(spec)
    _decode(answers)
    keyed = {
        (name, section, entry): entity
        for name, database in tree["databases"].items()
        for section, entries in database.items()
        for entry, entity in entries.items()
    }
    return sum(keyed[key] == dict(entity) for key, entity in keyed.items())


def _tree(spec: str) -> Any:
    from _ruamel_yaml import CParser
    from ruamel.yaml import events

    opening = (events.MappingStartEvent, events.SequenceStartEvent)
    closing = (events.MappingEndEvent, events.SequenceEndEvent)
    with open(spec, "rb") as file:
        parser = CParser(file.read())
    stack: list[tuple[Any, Any]] = []
    top: Any = []
    key: Any = None
    while parser.check_event():
        event = parser.get_event()
        kind = type(event)
        if kind is events.ScalarEvent:
            value: Any = event.value
        elif kind in opening:
            stack.append((top, key))
            top, key = ({} if kind is events.MappingStartEvent else []), None
            continue
        elif kind in closing:
            value = top
            top, key = stack.pop()
        else:
            continue
        if isinstance(top, list):
            top.append(value)
        elif key is None:
            key = value
        else:
            top[key], key = value, None
    return top[0]


def _decode(answers: str) -> None:
    import orjson

    with open(answers, "rb") as file:
        decoded = orjson.loads(file.read())
    for item in decoded:
        for row in item["answer"].get("rows", ()) if isinstance(item["answer"], dict) else ():
            for cell in row:
                if isinstance(cell, str) and cell.startswith(("{", "[{", '["', "[\n")):
                    orjson.loads(cell)


class _Recorded:
    """A plane that answers from a file, decoded when the plan begins, as a client would decode it."""

    def __init__(self, answers: dict[tuple[Any, ...], Any]) -> None:
        self.answers = answers
        self.requests = 0

    def read(self, read: Any) -> Any:
        from kxrecon.model import Failure, Table

        self.requests += 1
        answer = self.answers[(read.plane, read.target, read.text, read.arguments)]
        if isinstance(answer, dict) and "columns" in answer:
            return Table(tuple(answer["columns"]), answer["rows"])
        if isinstance(answer, dict) and "failure" in answer:
            return Failure(*answer["failure"])
        return answer


def plan(spec: str, answers: str) -> int:
    """A plan whose answers are already here: the offline part, printed as text."""
    import gc

    import orjson

    gc.disable()
    from kxrecon.cli import parser
    from kxrecon.commands import _flow
    from kxrecon.report import text

    options = parser("plan").parse_args(["plan", spec])
    loaded = _flow.load(options)
    with open(answers, "rb") as file:
        recorded = {
            (a["plane"], a["target"], a["text"], tuple((k, v) for k, v in a["arguments"])): a["answer"]
            for a in orjson.loads(file.read())
        }
    plane = _Recorded(recorded)
    planes: Any = {"kusto": plane, "arm": plane, "adls": plane, "sql": plane}
    whole, _ = _flow.plan_over(options, loaded, planes)
    print(len(str(text.plan(whole, requests=False))), len(whole.actions), file=sys.stderr)
    if "changed" not in spec and whole.actions:
        raise AssertionError(f"the estate is not converged: {whole.actions[0]}")
    return plane.requests


def validate(spec: str, answers: str) -> int:
    """``kxrecon validate``."""
    from kxrecon.cli import main

    return main(["validate", spec])


def check_jsonschema(spec: str, answers: str) -> int:
    """The generic validator on the same file and schema."""
    from check_jsonschema import main  # type: ignore[import-not-found]

    main(["--schemafile", "schemas/kxrecon.schema.json", spec], standalone_mode=False)
    return 0


if __name__ == "__main__":
    case, spec_path, answers_path = sys.argv[1:4]
    requests = globals()[case](spec_path, answers_path)
    seconds = _since_start()
    peak = _peak_mib()
    print(json.dumps({"seconds": seconds, "mib": peak, "requests": requests, "at": time.time()}))
