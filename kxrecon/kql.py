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

from kxrecon.errors import KxreconError
from kxrecon.kql_text import database_literals, normalise_query, opaque_databases, unquote
from kxrecon.model import Deferred, Leaf, Secret, Text, Unknown, Value

__all__ = [
    "Columns",
    "LineBreak",
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


def escape_verbatim(text: str) -> str:
    """What stands between the quotes of ``@'…'`` for ``text``; also applied to the value of a bound leaf.

    Raises LineBreak, without repeating the text: it may be a secret.
    """
    if _LINE_BREAK.search(text):
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


# --- timespans: int ticks of 100 ns ------------------------------------------------------------------------

TICK = 1
SECOND = 10_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
_UNITS = {
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("m", "min", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("s", "sec", "second", "seconds"), SECOND),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), SECOND // 1_000),
    **dict.fromkeys(("micro", "micros", "microsecond", "microseconds"), SECOND // 1_000_000),
    **dict.fromkeys(("tick", "ticks"), TICK),
}
_CALL = re.compile(r"(?:time|timespan)\s*\((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_SUFFIXED = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?\s*([a-z]*)\Z", re.IGNORECASE)
_CLOCK = re.compile(r"(-?)(?:([0-9]+)\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,7}))?)?\Z")


def timespan(ticks: int) -> str:
    """A timespan literal ``time(d.hh:mm:ss.fffffff)``, shortest form."""
    return f"time({show_timespan(ticks)})"


def show_timespan(ticks: int) -> str:
    """A timespan as Kusto prints it: ``01:00:00``, ``10.00:00:00``, ``00:00:00.5000000``."""
    days, rest = divmod(abs(ticks), DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    day, tail = f"{days}." if days else "", f".{fraction:07d}" if fraction else ""
    return f"{'-' if ticks < 0 else ''}{day}{hours:02d}:{minutes:02d}:{seconds:02d}{tail}"


def parse_timespan(value: object) -> int | None:
    """Ticks of any documented way to write or print a timespan; None if ``value`` is none of them, or null.

    Takes ``1h``, ``1.5d``, ``15 seconds``, ``d.hh:mm:ss.f``, ``time(…)``, ``timespan(…)`` and an int, which
    is ticks already. A number without a unit is days, as ``timespan(2)`` is.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    call = _CALL.match(text)
    text = call[1].strip() if call else text
    if ":" in text:
        return _clock_ticks(text)
    found = _SUFFIXED.match(text)
    unit = (_UNITS.get(found[4].lower()) if found[4] else DAY) if found else None
    if found is None or unit is None:
        return None
    fraction = found[3] or ""
    ticks: int = int(found[2] + fraction) * unit // 10 ** len(fraction)
    return -ticks if found[1] else ticks


def _clock_ticks(text: str) -> int | None:
    """Ticks of ``[-][d.]hh:mm[:ss[.f]]``; None if it is not one or a part is out of range."""
    found = _CLOCK.match(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[3]), int(found[4]), int(found[5] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    ticks = int(found[2] or 0) * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND
    ticks += int((found[6] or "").ljust(7, "0"))
    return -ticks if found[1] else ticks


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
    pairs = list(source.items()) if isinstance(source, Mapping) else list(_split_columns(source))
    return _checked(pairs)


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
