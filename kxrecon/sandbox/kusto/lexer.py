"""Tokens of Kusto text: names, every form of string literal, numbers, timespans, typed literals, comments.

One scanner serves commands and queries. What a word means (keyword or name) is decided by what the LALR
parser can take at that place, as Kusto's keywords are not reserved ("learn.microsoft.com, Identifiers").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lark.lexer import Lexer, Token

GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
UNITS = (
    r"days?|d|hours?|hrs?|hr|h|minutes?|min|m|seconds?|sec|s"
    r"|milliseconds?|millis?|ms|microseconds?|micros?|nanoseconds?|nanos?|ticks?"
)
TYPED = "datetime|date|timespan|time|guid|uuid|uniqueid|int|int32|long|int64|real|double|decimal|bool|boolean|dynamic"
STRING = (
    r"[hH]?(?:```(?:(?!```)[\s\S])*```|~~~(?:(?!~~~)[\s\S])*~~~"
    r"|@'(?:[^'\r\n]|'')*'|@\"(?:[^\"\r\n]|\"\")*\""
    r"|'(?:[^'\\\r\n]|\\[^\r\n])*'|\"(?:[^\"\\\r\n]|\\[^\r\n])*\")"
)
SKIP = re.compile(r"(?:[\s\u00a0]+|//[^\n]*)+")
SCAN = re.compile(
    rf"(?P<STRING>{STRING})"
    rf"|(?P<BNAME>\[\s*(?:{STRING})\s*\]|\[[A-Za-z_][\w .-]*\])"
    rf"|(?P<GUID>{GUID})(?!\w)"
    rf"|(?P<TIMESPAN>\d+(?:\.\d+)?(?:{UNITS}))(?!\w)"
    r"|(?P<REAL>\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))(?![\w])"
    r"|(?P<LONG>0[xX][0-9a-fA-F]+|\d+)(?!\w)"
    r"|(?P<WORD>[A-Za-z_$][\w$]*|\d\w*[A-Za-z_]\w*)"
    r"|(?P<MARK><\||\.\.|==|!=|=~|!~|<=|>=|<>|=>|[-+*/%<>=.,:;|(){}\[\]?@!])"
)
HYPHENATED = re.compile(r"!?[A-Za-z_$][\w$]*(?:-[A-Za-z][\w]*)+|!?in~|![A-Za-z_]+")
TYPED_START = re.compile(rf"(?:{TYPED})[\s\u00a0]*\(")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
SECRET = re.compile(rf"(?<![\w])(?P<literal>[hH](?=[@'\"`~]){STRING[5:]})")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UNCLOSED = re.compile(r"((?<!\w)[hH]@?['\"])([^'\"*\r\n][^\r\n]*)|((?<!\w)[hH](?:```|~~~))([^*`~][\s\S]*)")
CLASSES = {
    "OPERATOR": _words(
        "or and == != < > <= >= <> =~ !~ / % contains !contains contains_cs !contains_cs has !has has_cs !has_cs"
        " hasprefix !hasprefix hasprefix_cs !hasprefix_cs hassuffix !hassuffix hassuffix_cs !hassuffix_cs startswith"
        " !startswith startswith_cs !startswith_cs endswith !endswith endswith_cs !endswith_cs like notlike likecs"
        " notlikecs"
    ),
    "LISTED": _words("in !in in~ !in~ between !between has_any has_all"),
    "RARE": _words(
        "parse-kv make-series sample-distinct search fork facet partition scan reduce top-nested top-hitters find"
        " make-graph graph-match graph-merge graph-shortest-paths graph-to-table graph-mark-components macro-expand"
        " assert-schema"
    ),
}
# No values, and no names of what is called; names of new columns they may be (extend has = 1).
RESERVED = (
    CLASSES["OPERATOR"] | CLASSES["LISTED"] | _words("where project union by asc desc to of set print search find")
)
NAMES = re.compile(r"\s*=(?![=~])")
OPENING = {"(": ")", "[": "]", "{": "}"}
WHOLE = {"(": "PARENS", "[": "LIST", "{": "BODY"}  # taken as one piece where the parser wants that


class Unreadable(Exception):
    """Text that is no Kusto token; ``position`` is where."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def skip(text: str, position: int) -> int:
    """The position after white space and comments."""
    match = SKIP.match(text, position)
    return match.end() if match else position


def unquote(literal: str) -> str:
    """The value of one string literal ("learn.microsoft.com, The string data type"); ValueError if malformed."""
    text = literal[1:] if literal[:1] in "hH" else literal
    if text[:3] in ("```", "~~~"):
        return text[3:-3]
    if text[0] == "@":
        return text[2:-1].replace(text[1] * 2, text[1])
    return ESCAPE.sub(_escape, text[1:-1])


def _escape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code[0] == "u" and len(code) == 5 or code[0] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    if code.isdigit():
        return chr(int(code, 8))
    if code in ESCAPES:
        return ESCAPES[code]
    if code in "\\'\"":
        return code
    raise ValueError(f"bad escape \\{code}")


def mask(text: str) -> str:
    """The text with the content of obfuscated (``h``) literals replaced by asterisks, as Kusto shows it.

    A literal that is not closed is hidden to the end of its line (of the text, for a fence).
    """
    return UNCLOSED.sub(_hidden, SECRET.sub(_asterisks, text))


def _hidden(match: re.Match[str]) -> str:
    head, rest = (part for part in match.groups() if part is not None)
    return head + "*" * len(rest)


def _asterisks(match: re.Match[str]) -> str:
    literal = match.group("literal")
    head = 5 if literal[1:2] == "@" else 0
    quote = literal[2] if head else literal[1]
    if quote in "`~":
        return literal[:4] + "*" * len(literal[4:-3]) + literal[-3:]
    start = 3 if head else 2
    return literal[:start] + "*" * len(literal[start:-1]) + literal[-1]


PIPE = re.compile(rf"({STRING}|//[^\n]*)|\s*\|\s*")


def respaced(text: str) -> str:
    """The text with every step on a line of its own, as a service might show it that keeps no text as it was typed."""
    return PIPE.sub(lambda match: match[1] or "\n| ", text)


def balanced(text: str, position: int) -> int:
    """The position after the bracket that closes the one at ``position``; Unreadable if none does."""
    expected = [OPENING[text[position]]]
    here = position + 1
    while True:
        here = skip(text, here)
        if here >= len(text):
            raise Unreadable(f"'{expected[-1]}' is missing", position)
        match = SCAN.match(text, here)
        if match is None:
            raise Unreadable("unexpected character", here)
        if match.lastgroup == "BNAME" or match.group() not in "()[]{}":
            here = match.end()
            continue
        if match.group() in OPENING:
            expected.append(OPENING[match.group()])
        elif match.group() != expected.pop():
            raise Unreadable(f"unexpected '{match.group()}'", here)
        here = match.end()
        if not expected:
            return here


class KustoLexer(Lexer):
    """Gives the parser one token at a time, named by what it can take there."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: Any) -> None:
        self._words = {
            terminal.pattern.value: terminal.name
            for terminal in lexer_conf.terminals
            if getattr(terminal.pattern, "type", "") == "str"
        }

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        """Tokens up to the end of the text; Unreadable where there is none."""
        text = str(lexer_state.text.text)
        states = parser_state.parse_conf.states
        position = skip(text, 0)
        while position < len(text):
            taken = states[parser_state.position]
            kind, value, end = self._next(text, position, taken)
            yield Token(kind, value, position, end_pos=end)
            position = skip(text, end)

    def _next(self, text: str, position: int, taken: Any) -> tuple[str, str, int]:
        if "REST" in taken:
            return "REST", text[position:], len(text)
        first = text[position]
        if "SOUP" in taken and first not in "|;)":
            end = self._soup(text, position)
            return "SOUP", text[position:end], end
        whole = WHOLE.get(first)
        if whole in taken:
            end = balanced(text, position)
            return str(whole), text[position:end], end
        word = self._word(text, position, taken)
        if word is not None:
            return word
        match = SCAN.match(text, position)
        if match is None:
            raise Unreadable(f"unexpected '{first}'", position)
        return self._mark(match, taken)

    def _soup(self, text: str, position: int) -> int:
        """The end of a stretch of tokens with balanced brackets: before a pipe, a semicolon or a closing bracket."""
        while position < len(text) and text[position] not in "|;)]}":
            match = SCAN.match(text, position)
            if match is None:
                raise Unreadable(f"unexpected '{text[position]}'", position)
            end = balanced(text, position) if match.group() in OPENING else match.end()
            position = skip(text, end)
        return position

    def _word(self, text: str, position: int, taken: Any) -> tuple[str, str, int] | None:
        typed = TYPED_START.match(text, position)
        if typed and "TYPED" in taken:
            end = balanced(text, typed.end() - 1)
            return "TYPED", text[position:end], end
        match = HYPHENATED.match(text, position)
        if match and (kind := self._kind(match.group(), taken)):
            return kind, match.group(), match.end()
        return None

    def _kind(self, word: str, taken: Any) -> str | None:
        """The keyword, or class of words, that the parser takes here and ``word`` is."""
        if self._words.get(word) in taken:
            return str(self._words[word])
        return next((name for name, words in CLASSES.items() if name in taken and word in words), None)

    def _mark(self, match: re.Match[str], taken: Any) -> tuple[str, str, int]:
        kind, value = str(match.lastgroup), match.group()
        if kind in ("WORD", "MARK"):
            keyword = self._kind(value, taken)
            if keyword is None and "LONG" in taken and value in RESERVED and not NAMES.match(match.string, match.end()):
                raise Unreadable(f"unexpected '{value}'", match.start())
            if keyword is None:
                keyword = self._words.get(value, "MARK") if kind == "MARK" else "NAME"
            return keyword, value, match.end()
        if kind == "BNAME" and "BNAME" not in taken:
            return self._words.get("[", "MARK"), "[", match.start() + 1
        return kind, value, match.end()
