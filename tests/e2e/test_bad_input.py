"""Spec files that somebody broke, or made to break us: an error with a place, soon, and never a traceback."""

from __future__ import annotations

import os
import random
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from kxrecon.errors import SpecError
from kxrecon.spec import load
from tests.ground import SPECS

SEEDS = 4000 if os.environ.get("KXRECON_CHAOS") else 300
SECONDS = 10
"""Far more than any file here needs: only a hang takes it."""

TOKENS = [
    *"{}[]&*!|>%@`'\"#,:?-~\t\n\0\x85\u2028",
    "<<: ", "&a ", "*a", "${x}", "$${", "null", "no", "0o17", "1e999", "-0", ".nan", "2026-01-01", "!!python/object:os.system",
    "? ", "--- ", "...", "%YAML 9.9\n", "\ufeff", "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "9" * 400, "a" * 5000, "[" * 300, "{a: " * 300, "add", "exact", "extends: [seed.yaml]", "\r", "\x1b[31m", "é", "🦆", "\\u0000", "'; drop",
]  # fmt: skip


@contextmanager
def bounded():
    """SIGALRM if it takes too long."""

    def late(*_):
        raise TimeoutError("a spec file took too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged(path: Path) -> None:
    """Loads, or raises SpecError whose problems are words of one paragraph with a place."""
    with bounded():
        try:
            load([str(path)], environ={})
        except SpecError as error:
            assert error.problems
            for line in str(error).splitlines()[:50]:
                assert "Traceback" not in line and "\x1b" not in line


def mutated(text: str, order: random.Random) -> str:
    """The text with one to three wounds."""
    for _ in range(order.randint(1, 3)):
        at = order.randrange(len(text) + 1)
        lines = text.splitlines(keepends=True) or [""]
        match order.randrange(7):
            case 0:
                text = text[:at] + order.choice(TOKENS) + text[at:]
            case 1:
                text = text[:at] + text[at + order.randint(1, 30) :]
            case 2:
                number = order.randrange(len(lines))
                text = "".join([*lines[:number], lines[order.randrange(len(lines))], *lines[number:]])
            case 3:
                number = order.randrange(len(lines))
                text = "".join([*lines[:number], *lines[number + 1 :]])
            case 4:
                words = text.split(" ")
                words[order.randrange(len(words))] = order.choice(TOKENS)
                text = " ".join(words)
            case 5:
                number = order.randrange(len(lines))
                lines[number] = order.choice(["  ", " ", "\t"]) + lines[number]
                text = "".join(lines)
            case 6:
                text = text[:at]
    return text


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kql").mkdir()
    for path in (SPECS / "kql").iterdir():
        (tmp_path / "kql" / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", ["seed.yaml", "quickstart.yaml", "base.yaml"])
def test_mutated_specs_are_errors_and_never_accidents(folder, name):
    text = (SPECS / name).read_text()
    path = folder / "mutated.yaml"
    for seed in range(SEEDS // 3):
        wounded = mutated(text, random.Random(f"{name}/{seed}"))
        path.write_bytes(wounded.encode("utf-8", "surrogatepass"))
        try:
            judged(path)
        except (SpecError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("name", ["seed.yaml", "prod.yaml"])
def test_mutated_bytes_are_errors_and_never_accidents(folder, name):
    whole = (SPECS / name).read_bytes()
    path = folder / "mutated.yaml"
    for seed in range(SEEDS // 6):
        order = random.Random(f"bytes/{name}/{seed}")
        wounded = bytearray(whole)
        for _ in range(order.randint(1, 8)):
            wounded[order.randrange(len(wounded))] = order.randrange(256)
        path.write_bytes(wounded)
        judged(path)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)
HOSTILE = {
    "nothing": b"",
    "null": b"null\n",
    "a list": b"[1, 2]\n",
    "a word": b"hello\n",
    "not UTF-8": b"version: 1\nname: \xff\xfe\n",
    "UTF-16": "version: 1\n".encode("utf-16"),
    "NUL": b"version: 1\nname: a\0b\n",
    "a bomb of aliases": ("version: 1\n" + BOMB).encode(),
    "a bomb of merges": b"version: 1\nx: &a {k: 1}\ny: &b {<<: [*a, *a]}\nz: {<<: [*b, *b, *b]}\n",
    "an alias of itself": b"version: 1\nx: &a [*a]\n",
    "deep lists": b"version: 1\nx: " + b"[" * 20_000,
    "deep mappings": b"version: 1\nx: " + b"{a: " * 20_000,
    "deep blocks": b"version: 1\n" + b"".join(b" " * n + b"a:\n" for n in range(1500)),
    "a long line": b"version: 1\nname: " + b"a" * 3_000_000,
    "many keys": b"version: 1\n" + b"".join(b"k%d: 1\n" % n for n in range(20_000)),
    "many anchors": b"version: 1\n" + b"".join(b"k%d: &k%d 1\n" % (n, n) for n in range(20_000)),
    "a tag": b"version: 1\nname: !!python/object/apply:os.system ['true']\n",
    "a complex key": b"version: 1\n? [a, b]\n: 1\n",
    "a date as key": b"version: 1\n2026-01-01: 1\n",
    "another version": b"version: 2\n",
    "version as text": b'version: "1"\n',
    "infinity": b"version: .inf\n",
    "itself": b"extends: [hostile.yaml]\nversion: 1\n",
    "a folder": b"extends: [.]\nversion: 1\n",
    "a device": b"extends: [/dev/null]\nversion: 1\n",
    "elsewhere": b"extends: [../../../../../../etc/passwd]\nversion: 1\n",
    "two documents": b"version: 1\n---\nversion: 1\n",
    "a digit too many": b"version: " + b"1" * 5000 + b"\n",
    "escape codes": b'version: 1\nname: "\\e[31mred"\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_errors_with_a_place(folder, name):
    path = folder / "hostile.yaml"
    path.write_bytes(HOSTILE[name])
    with bounded(), pytest.raises(SpecError) as caught:
        load([str(path)], environ={})
    assert "Traceback" not in str(caught.value)
