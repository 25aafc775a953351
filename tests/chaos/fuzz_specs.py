"""Mutated specs, many of them: an error with a place or a spec, within five seconds, and never an accident.

``python -m tests.chaos.fuzz_specs [--count 100000] [--workers 2] [--first 0]`` judges that many in process and
prints what went wrong; every mutant has a number, and ``--first N --count 1`` makes that one again.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from kxrecon.commands.lint import findings, placed
from kxrecon.derive import derive
from kxrecon.errors import SpecError
from kxrecon.inventory import inventory
from kxrecon.report import problems as report
from kxrecon.spec import Spec, load
from tests.chaos.fuzz import Batch, bounded, counted, long_form
from tests.e2e.test_bad_input import TOKENS, mutated
from tests.ground import SPECS

FILES = ("seed.yaml", "base.yaml", "quickstart.yaml", "prod.yaml", "dev.yaml", "test.yaml")

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**40, 1.5, -0.0, 1e308, float("inf"), float("nan")),
    *("", " ", "\n", "\0", "x" * 5000, "null", "no", "0x10", "1.00:00:00", "-1d", "9" * 400 + "d", "\ud7ff", "a b;c|d<|"),
    *("${}", "${nobody}", "$${x}", "${lakeRg}", "secret(X)", "../../etc/passwd", "/dev/zero", "https://", "http://[", "//"),
    *("aadapp=", "aadgroup=;;;", "2026-13-45", "['']", "Events)", "A:datetime,,B:", ".drop table T", "system", "exporter"),
    *([], {}, [[]], [None], [{}], {"": None}, {"a": {"b": {"c": []}}}, ["x"] * 300, [[[[[[[[]]]]]]]], {"add": "x"}),
    *({"exact": [None]}, {"exact": []}, {"add": [{}]}, {"kind": "storage"}, {"kind": 3}, {"url": None}, {"version": 2}),
)  # fmt: skip


@lru_cache(maxsize=16)
def texts(name: str) -> tuple[str, bytes, str]:
    """An example: as text, as bytes, as JSON (which is YAML too)."""
    from ruamel.yaml import YAML

    path = SPECS / name
    return path.read_text(), path.read_bytes(), json.dumps(YAML(typ="safe", pure=True).load(path), default=str)


def mutant(number: int) -> bytes:
    """The mutant with this number: wounded as text, as bytes, or in its structure."""
    order = random.Random(number)
    text, raw, document = texts(FILES[number % len(FILES)])
    match order.randrange(4):
        case 0:
            return mutated(text, order).encode("utf-8", "surrogatepass")
        case 1:
            return _bitten(raw, order)
        case _:
            return json.dumps(twisted(json.loads(document), order), indent=order.choice((None, 1))).encode()


def _bitten(raw: bytes, order: random.Random) -> bytes:
    wounded = bytearray(raw)
    for _ in range(order.randint(1, 8)):
        wounded[order.randrange(len(wounded))] = order.randrange(256)
    return bytes(wounded)


def twisted(document: Any, order: random.Random) -> Any:
    """The document with one to three nodes replaced, moved, doubled, renamed or taken away."""
    for _ in range(order.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            return _copy(order.choice(ODD))
        parent, key = order.choice(places)
        match order.randrange(7):
            case 0 | 1 | 2:
                parent[key] = _copy(order.choice(ODD))
            case 3:
                parent[key] = _copy(_of(order.choice(places)))
            case 4:
                del parent[key]
            case 5 if isinstance(parent, dict):
                parent[order.choice([*TOKENS, str(order.choice(places)[1])])] = parent.pop(key)
            case _:
                parent[key] = [parent[key], _copy(parent[key])] if order.random() < 0.5 else {str(key): parent[key]}
    return document


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    stack = [node]
    while stack:
        one = stack.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            yield one, key
            stack.append(one[key])


def _of(place: tuple[Any, Any]) -> Any:
    return place[0][place[1]]


def _copy(node: Any) -> Any:
    return json.loads(json.dumps(node))


def used(path: Path) -> str:
    """What ``validate`` and the offline part of ``plan`` make of a file: ``spec`` or ``refused``."""
    try:
        spec: Spec = load([str(path)], environ={})
        notes = placed(spec, findings(spec, deep=False))
        derive(spec.desired, None, spec.scope)
        json.dumps(inventory(spec))
    except SpecError as error:
        assert error.problems
        told = list(report.text(error.problems, None, [str(path)]))
        assert told and all(problem.message for problem in error.problems)
        return "refused"
    assert all(str(one.message) for one, _ in notes)
    return "spec"


def batch(numbers: range) -> Batch:
    """Judge some mutants in a folder of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(SPECS, folder / "specs")
        path = folder / "specs" / "mutant.yaml"

        def judge(number: int) -> str:
            path.write_bytes(mutant(number))
            return bounded(lambda: used(path))

        return counted(numbers, judge, right=lambda verdict: verdict in ("spec", "refused"))


def main(argv: list[str]) -> int:
    """The long form."""
    return long_form(argv, "specs", batch, count=100_000, at_once=250)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
