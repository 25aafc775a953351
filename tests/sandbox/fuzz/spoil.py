"""Texts and JSON with wounds in them, the same for the same seed."""

from __future__ import annotations

import os
import random
import re
from typing import Any

from tests.witness.grammar.names import NASTY

ROUNDS = 40 if os.environ.get("KXRECON_CHAOS") else 1
"""``make chaos`` fuzzes for longer."""

TOKENS = [
    *("'", '"', "\\", "]", "[", "<|", "|", ";", "\n", "@", "h", "`", "```", "(", ")", "{", "}", ",", ":", "=", "..", "*"),
    *("null", "true", "1e999", "9" * 400, "-1", "0x", "time(1)", "datetime(x)", "dynamic([1])", "\x00", "\ud800", "😀"),
    *("\u2028", "//x\n", "--", "/*", "*/", "with", "over", "database('x').T", "now()", "1d", "%", "~", "!", "<", ">", "?"),
    *("$left", "int(null)", "[" * 300, "(" * 300, "union ", "let x=1;", "T|", "project", "summarize count()", "%(a)s", "%s"),
    *("GO", "SELECT", "FROM", "CASE", "END", "BEGIN", "IF", "EXISTS", "::", "@x", "CAST(1 AS uniqueidentifier)", "1/0"),
]  # fmt: skip
JUNK: list[Any] = [
    *(None, True, 7, -1, 1e308, "", [], {}, [[]], {"a": {}}, "x" * 5000, "\ud800", "\x00", ["a"], {"": None}),
    *("None", "SystemAssigned", "User", "Both", *NASTY),
]
_WORD = re.compile(r"[\w-]+|\s+|.", re.DOTALL)


def wounded(text: str, order: random.Random) -> str:
    """The text with one to three wounds."""
    for _ in range(order.randint(1, 3)):
        at, words = order.randrange(len(text) + 1), text.split(" ")
        match order.randrange(5):
            case 0:
                text = text[:at] + order.choice(TOKENS) + text[at:]
            case 1:
                text = text[:at] + text[at + order.randint(1, 20) :]
            case 2:
                words[order.randrange(len(words))] = order.choice([*TOKENS, *NASTY])
                text = " ".join(words)
            case 3:
                one, other = order.randrange(len(words)), order.randrange(len(words))
                words[one], words[other] = words[other], words[one]
                text = " ".join(words)
            case 4:
                start, end = sorted((at, order.randrange(len(text) + 1)))
                text = text[:end] + text[start:end] + text[end:]
    return text


def renamed(text: str, quote: Any, order: random.Random) -> str:
    """The text with some of its names and numbers replaced by hostile ones, well quoted by ``quote``."""
    pieces = _WORD.findall(text)
    found = [at for at, piece in enumerate(pieces) if piece.isdigit() or piece[0].isupper()]
    for at in order.sample(found, min(len(found), order.randint(1, 3))):
        numbers = ["0", "-1", "9" * 30, "1.5", "1d", "null", "2147483648", "1e400"]
        pieces[at] = order.choice(numbers) if pieces[at].isdigit() else quote(order.choice(NASTY))
    return "".join(pieces)


def scrambled(value: Any, order: random.Random, odds: float = 0.12) -> Any:
    """JSON with values, keys and types changed here and there."""
    if order.random() < odds:
        return order.choice(JUNK)
    if isinstance(value, dict):
        kept = [(key, inner) for key, inner in value.items() if order.random() > odds / 2]
        named = ((order.choice(NASTY) if order.random() < odds / 2 else key, inner) for key, inner in kept)
        return {key: scrambled(inner, order, odds) for key, inner in named}
    if isinstance(value, list):
        return [scrambled(inner, order, odds) for inner in value] * order.choice([1, 1, 2])
    if isinstance(value, str) and order.random() < odds:
        at = order.randrange(len(value) + 1)
        return value[:at] + order.choice(NASTY) + value[at:]
    return value
