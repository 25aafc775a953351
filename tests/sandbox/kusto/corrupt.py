"""Ways to spoil a command: each is a mistake that a person or a program makes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

PIECE = re.compile(r"[\w-]+|\s+|```|.", re.DOTALL)


def variants(command: str, each: int = 3) -> Iterator[tuple[str, str]]:
    """(kind of mistake, spoiled text), the same for the same command; at most ``each`` of a kind."""
    rng = random.Random(command)
    pieces = PIECE.findall(command)
    words = [i for i, piece in enumerate(pieces) if not piece.isspace()]
    for kind, spoil in (
        ("drop", drop),
        ("double", double),
        ("misspell", misspell),
        ("swap", swap),
        ("unclose", unclose),
        ("quote", quote),
    ):
        seen: set[str] = set()
        for _ in range(each):
            text = spoil(pieces, words, rng)
            if text is not None and text != command and text not in seen:
                seen.add(text)
                yield kind, text
    for part in (0.4, 0.7, 0.9):
        text = command[: int(len(command) * part)]
        if text.strip():
            yield "truncate", text


def piecewise(command: str) -> Iterator[str]:
    """Every piece left out, and every piece twice, one at a time."""
    pieces = PIECE.findall(command)
    for at, piece in enumerate(pieces):
        if not piece.isspace():
            yield _with(pieces, at)
            yield _with(pieces, at, piece, " ", piece)


def _with(pieces: list[str], at: int, *new: str) -> str:
    return "".join([*pieces[:at], *new, *pieces[at + 1 :]])


def drop(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    return _with(pieces, rng.choice(words))


def double(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    at = rng.choice(words)
    return _with(pieces, at, pieces[at], " ", pieces[at])


def misspell(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    found = [i for i in words if len(pieces[i]) > 3 and pieces[i].isalpha()]
    if not found:
        return None
    at = rng.choice(found)
    cut = rng.randrange(1, len(pieces[at]) - 1)
    return _with(pieces, at, pieces[at][:cut] + pieces[at][cut + 1 :])


def swap(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    if len(words) < 2:
        return None
    at = rng.randrange(len(words) - 1)
    first, second = words[at], words[at + 1]
    swapped = list(pieces)
    swapped[first], swapped[second] = pieces[second], pieces[first]
    return "".join(swapped)


def unclose(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    found = [i for i in words if pieces[i] in (")", "]", "}", "'", '"', "```")]
    return _with(pieces, rng.choice(found)) if found else None


def quote(pieces: list[str], words: list[int], rng: random.Random) -> str | None:
    found = [i for i in words if pieces[i].isalnum()]
    if not found:
        return None
    at = rng.choice(found)
    return _with(pieces, at, f"'{pieces[at]}'")
