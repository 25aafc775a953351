"""Kusto's text forms, and the only place that escapes: names, literals, timespans, types, column lists.

Everything that a kind puts into a command passes through here, so that a name can never become syntax.
Leaves (``Unknown``, ``Secret``) inside a command always stand inside a verbatim literal (``@'…'`` or
``h@'…'``); whoever binds them applies ``escape_verbatim`` to the value and puts it in their place.

Facts: learn.microsoft.com, "Entity names", "The string data type", "The timespan data type",
"Scalar data types".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from kxrecon.errors import KxreconError
from kxrecon.kql_text import database_literals, normalise_query, obfuscated, opaque_databases, unquote
from kxrecon.kql_time import DAY, HOUR, MINUTE, SECOND, parse_timespan, show_timespan, timespan
from kxrecon.model import Deferred, Leaf, Secret, Text, Unknown, Value

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Columns",
    "LineBreak",
    "breaks_line",
    "canonical_type",
    "column_list",
    "columns",
    "command",
    "database_literals",
    "escape_verbatim",
    "hidden",
    "identifier",
    "json_literal",
    "json_quoted",
    "literal",
    "multiline",
    "normalise_query",
    "obfuscated",
    "opaque_databases",
    "parse_timespan",
    "quoted",
    "show_timespan",
    "string",
    "timespan",
    "unquote",
    "verbatim",
]

Columns = tuple[tuple[str, str], ...]

# Characters that a one-line literal cannot hold as they are: quotes are added per literal.
_CONTROL = {code: f"\\u{code:04x}" for code in [*range(32), 0x7F, 0x85, 0x2028, 0x2029, 0xFEFF, *range(0xD800, 0xE000)]}
_ESCAPES = {**_CONTROL, ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
_SINGLE = {**_ESCAPES, ord("'"): "\\'"}
_DOUBLE = {**_ESCAPES, ord('"'): '\\"'}
_NEEDS_ESCAPE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ufeff\ud800-\udfff'\"\\\\]")
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")


class LineBreak(KxreconError):
    """A text with a line break was to stand in a verbatim literal, which can hold none."""


def identifier(name: str) -> str:
    """A name as ``['name']``: whatever the name holds, keywords and leading digits included."""
    return f"['{name.translate(_SINGLE) if _NEEDS_ESCAPE.search(name) else name}']"


def string(text: str) -> str:
    """A string literal in double quotes, on one line."""
    return f'"{text.translate(_DOUBLE) if _NEEDS_ESCAPE.search(text) else text}"'


def breaks_line(text: str) -> bool:
    """Whether a text needs more than one line, which a verbatim literal does not have."""
    return bool(_LINE_BREAK.search(text))


def escape_verbatim(text: str) -> str:
    """What stands between the quotes of ``@'…'`` for ``text``; also applied to the value of a bound leaf.

    Raises LineBreak, without repeating the text: it may be a secret.
    """
    if breaks_line(text):
        raise LineBreak("a value with a line break cannot be sent here: a verbatim literal stands on one line")
    return text.replace("'", "''")


def verbatim(text: str) -> str:
    """A verbatim literal ``@'…'``: backslashes mean themselves. Raises LineBreak."""
    return f"@'{escape_verbatim(text)}'"


def quoted(*parts: str | Leaf) -> Text:
    """A verbatim literal that may hold leaves: ``@'aadapp=<known after apply>'``."""
    return command("@'", *(escape_verbatim(part) if isinstance(part, str) else part for part in parts), "'")


def hidden(parts: Text) -> Text:
    """An obfuscated verbatim literal ``h@'…'``, which Kusto keeps out of its logs; leaves stay leaves."""
    return command("h", quoted(*parts))


def multiline(text: str) -> str:
    """A literal that keeps line breaks readable: a fence where the text allows one, else escaped."""
    return f"```{text}```" if _fits_fence(text) else string(text)


def _fits_fence(text: str) -> bool:
    """True if ``text`` survives between two fences: it holds none and does not lengthen them."""
    return bool(text) and "```" not in text and "`" not in (text[0], text[-1]) and not _unprintable(text)


def _unprintable(text: str) -> bool:
    """True if some character could be lost or changed on the way when sent as it is."""
    return any(ord(char) in _CONTROL and char not in "\n\t" for char in text)


def json_literal(value: Value) -> str:
    """JSON as a literal: a fence, as Kusto's own pages show policies, else a verbatim string."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "```" not in text and not text.endswith("`") and not _unprintable(text):
        return f"```{text}```"
    return verbatim(json.dumps(value, separators=(",", ":")))


def json_quoted(value: Value) -> Text:
    """JSON with leaves as string values, in a verbatim literal; only identifiers may be leaves here."""
    return quoted(*_json_parts(value))


def _json_parts(value: Value) -> Iterator[str | Leaf]:
    """The pieces of a JSON text; leaves come out as they are, between their quotes."""
    if isinstance(value, Unknown | Deferred | Secret):
        yield from ('"', value, '"')
    elif isinstance(value, Mapping):
        for index, (key, item) in enumerate(value.items()):
            yield f"{',' if index else '{'}{json.dumps(key)}:"
            yield from _json_parts(item)
        yield "}" if value else "{}"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield "," if index else "["
            yield from _json_parts(item)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value)


def literal(value: bool | int | float | str) -> str:
    """A property's value: ``true``, ``100``, ``"text"``. The grammar takes literals only, no bare words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return string(value) if isinstance(value, str) else str(value)


def command(*parts: str | Leaf | Text) -> Text:
    """Strings, leaves and texts in a row as one ``Text``; neighbouring strings become one."""
    flat: list[str | Leaf] = []
    for part in parts:
        for piece in part if isinstance(part, tuple) else (part,):
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                flat[-1] += piece
            elif piece != "":
                flat.append(piece)
    return tuple(flat)


# --- types and columns -------------------------------------------------------------------------------------

TYPES = ("bool", "datetime", "decimal", "dynamic", "guid", "int", "long", "real", "string", "timespan")
_CANONICAL = {
    **{name: name for name in TYPES},
    **dict.fromkeys(("boolean", "system.sbyte", "system.boolean"), "bool"),
    **dict.fromkeys(("date", "system.datetime"), "datetime"),
    **dict.fromkeys(("system.data.sqltypes.sqldecimal", "system.decimal"), "decimal"),
    **dict.fromkeys(("object", "system.object"), "dynamic"),
    **dict.fromkeys(("uuid", "uniqueid", "system.guid"), "guid"),
    **dict.fromkeys(("int32", "system.int32"), "int"),
    **dict.fromkeys(("int64", "system.int64"), "long"),
    **dict.fromkeys(("double", "system.double"), "real"),
    **dict.fromkeys(("time", "system.timespan"), "timespan"),
    "system.string": "string",
}


def canonical_type(name: str) -> str | None:
    """Kusto's own name of a type: ``int32`` → ``int``, ``System.Double`` → ``real``; None if it is no type."""
    return _CANONICAL.get(name) or _CANONICAL.get(name.strip().lower())


# One column: name plain or in brackets and quotes, then its type.
_COLUMN = re.compile(
    r"""\s*(?:\[\s*(?P<quoted>'(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")\s*\]|(?P<plain>[\w.\- ]*\w))"""
    r"""\s*:\s*(?P<type>[\w.]+)\s*"""
)


def columns(source: str | Mapping[str, str]) -> Columns:
    """(name, canonical type) of each column, from ``A:datetime, ['b c']:string`` or a mapping, in order.

    Raises ValueError that says what is wrong and the nearest right thing.
    """
    return _text_columns(source) if isinstance(source, str) else _checked(source.items())


@lru_cache(maxsize=4096)
def _text_columns(text: str) -> Columns:
    """Columns of a text; several tables often share one, by a YAML anchor."""
    return _checked(_split_columns(text))


def _split_columns(text: str) -> Iterator[tuple[str, str]]:
    """The columns of a cslschema text, types as written."""
    position = 0
    while position < len(text) or position == 0:
        found = _COLUMN.match(text, position)
        if not found or (found.end() < len(text) and text[found.end()] != ","):
            raise ValueError(f"not a column: {text[position:].strip()[:40]!r}; columns read 'Name:type, Other:type'")
        yield (unquote(found["quoted"]) if found["quoted"] else found["plain"].strip()), found["type"]
        position = found.end() + 1
        if found.end() == len(text) - 1:
            raise ValueError("a comma at the end, but no column after it")


def _checked(pairs: Iterable[tuple[str, str]]) -> Columns:
    """Columns with canonical types; ValueError for an unknown type, an empty or a repeated name."""
    result: dict[str, str] = {}
    for name, written in pairs:
        canonical = canonical_type(str(written))
        if canonical is None:
            near = get_close_matches(str(written).lower(), _CANONICAL, 1)
            hint = f": did you mean '{_CANONICAL[near[0]]}'?" if near else f"; types are {', '.join(TYPES)}"
            raise ValueError(f"unknown type '{written}' of column '{name}'{hint}")
        if not name or name in result:
            raise ValueError(f"column '{name}' is there twice" if name else "a column without a name")
        result[name] = canonical
    return tuple(result.items())


def column_list(pairs: Sequence[tuple[str, str]]) -> str:
    """Columns as a command takes them: ``['A']:datetime, ['b c']:string``."""
    return ", ".join(f"{identifier(name)}:{kind}" for name, kind in pairs)
