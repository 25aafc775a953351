"""Hostile text made harmless: names and messages come from clusters and files that others write."""

from __future__ import annotations

import re

# C0 and C1 controls, DEL, line separators, zero-width and bidirectional marks, the byte order mark, lone
# surrogates: they move cursors, hide text, turn it round, or cannot be printed.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|!~@:&$])")


def visible(text: str, keep: str = "") -> str:
    """``text`` with every character that a terminal would act on written as an escape; ``keep`` stays."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def markdown(text: str) -> str:
    """One line of ``text`` as it stands, in Markdown: no markup, no link, no mention, no HTML, no emoji."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def code(text: str, *, cell: bool = False) -> str:
    """``text`` as inline code, whatever backticks it holds; in a table's ``cell`` pipes are escaped."""
    shown = visible(text).replace("|", "\\|") if cell else visible(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str, language: str = "") -> str:
    """``text`` as a fenced block that it cannot close."""
    shown = visible(text, keep="\n\t")
    fence = "`" * max(3, max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"
