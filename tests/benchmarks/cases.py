"""What the benchmark measures, each in a process of its own: ``python -m tests.benchmarks.cases CASE [ARGUMENT…]``.

Prints what the process tells of itself on its last line, as JSON: peak MiB, requests sent.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.measure import peak_mib


def floor(spec: str, answers: str) -> int:
    """C parser events → dict, decode the answers, compare keyed dicts: what no reconciler can go below."""
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
    from yaml import events
    from yaml._yaml import CParser

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


class Recorded:
    """A plane that answers from a file, decoded when the plan begins, as a client would decode it."""

    def __init__(self, answers: str) -> None:
        import orjson

        with open(answers, "rb") as file:
            self.answers = {
                (a["plane"], a["target"], a["text"], tuple((k, v) for k, v in a["arguments"])): a["answer"]
                for a in orjson.loads(file.read())
            }
        self.requests = 0

    def read(self, read: Any) -> Any:
        """The recorded answer to a read."""
        from kxrecon.model import Failure, Table

        self.requests += 1
        answer = self.answers[(read.plane, read.target, read.text, read.arguments)]
        if isinstance(answer, dict) and "columns" in answer:
            return Table(tuple(answer["columns"]), answer["rows"])
        if isinstance(answer, dict) and "failure" in answer:
            return Failure(*answer["failure"])
        return answer

    def close(self) -> None:
        """Nothing is open."""

    @property
    def planes(self) -> Any:
        """This for every plane."""
        return dict.fromkeys(("kusto", "arm", "adls", "sql"), self)


def verb(*argv: str) -> dict[str, float]:
    """A command of kxrecon as it is."""
    from kxrecon.__main__ import main

    sys.argv = ["kxrecon", *argv]
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        assert main() == 0, said.getvalue()
    return {}


def plan(spec: str, answers: str) -> dict[str, float]:
    """``kxrecon plan``, the whole verb with lint pack, saved file and text, its answers taken from a file."""
    from kxrecon.commands import _flow

    plane = Recorded(answers)

    @contextlib.contextmanager
    def planes(*_: Any, **__: Any) -> Iterator[Any]:
        yield plane.planes

    _flow.planes = planes
    verb("plan", spec, "--brief", "--out", answers + ".plan")
    return {"requests": plane.requests}


def offline(spec: str, answers: str) -> dict[str, float]:
    """What of it has to be done whoever asks: spec, validation, canonical forms, comparison, order."""
    from kxrecon.cli import parser
    from kxrecon.commands import _flow
    from kxrecon.uncollected import uncollected

    plane = Recorded(answers)
    with uncollected():
        options = parser("plan").parse_args(["plan", spec])
        made, _ = _flow.plan_over(options, _flow.load(options), plane.planes, lint=False)
    assert not made.actions, made.actions[0]
    return {"requests": plane.requests}


def check_jsonschema(spec: str) -> dict[str, float]:
    """The generic validator on the same file and schema, as ``pip install check-jsonschema`` makes it."""
    from check_jsonschema import main  # type: ignore[import-not-found]

    main(["--schemafile", "schemas/kxrecon.schema.json", spec], standalone_mode=False)
    return {}


if __name__ == "__main__":
    told = globals()[sys.argv[1]](*sys.argv[2:])
    print()
    print(json.dumps({**(told if isinstance(told, dict) else {}), "mib": peak_mib()}))
