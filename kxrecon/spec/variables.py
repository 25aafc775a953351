"""``${name}`` in the spec: declared variables, their values, and where secrets may stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from kxrecon.errors import Place, Problem
from kxrecon.kql import breaks_line
from kxrecon.model import Value
from kxrecon.spec.scalars import resolve
from kxrecon.spec.secrets import ENVIRONMENT_PREFIX, is_authentication, is_connection
from kxrecon.spec.source import Source, SpecPath

_REFERENCE: Final = re.compile(r"\$(\$)?\{([^}]*)\}|\$\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
VERBATIM: Final = frozenset(("query", "body"))


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable. ``value`` is None until somebody gives one; always None for a secret."""

    name: str
    value: Value = None
    secret: bool = False
    place: Place | None = None


def declared(
    sources: Sequence[Source], given: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, Variable], list[Problem]]:
    """The variables of a spec with their values: ``--var`` wins over the environment, that over files."""
    variables: dict[str, Variable] = {}
    problems: list[Problem] = []
    for index, source in enumerate(sources):
        section = source.document.get("variables")
        for name, value in section.items() if isinstance(section, dict) else ():
            place = source.find(("variables", name))
            problems.extend(_declare(variables, name, value, place, index == 0))
    for name in given:
        if name not in variables:
            problems.append(Problem(f"--var: no variable '{name}' is declared", remedy=_nearest(name, variables)))
    for name, variable in variables.items():
        outside = given.get(name, environ.get(ENVIRONMENT_PREFIX + name))
        if outside is not None and not variable.secret:
            variables[name] = _with_value(variable, _typed(outside, variable.value))
        elif outside and breaks_line(outside):  # said without the value
            message = f"the secret variable '{name}' holds a line break, which no connection string takes"
            remedy = "it is often the end of a file: leave it out"
            problems.append(Problem(message, place=variable.place, remedy=remedy))
    return variables, problems


def _declare(
    variables: dict[str, Variable], name: str, value: Value, place: Place | None, first: bool
) -> Iterator[Problem]:
    """Take over what one file says about a variable: a mapping declares, a plain value sets."""
    before = variables.get(name)
    if value is None:
        variables.pop(name, None)
    elif isinstance(value, dict):
        secret = bool(value.get("secret", before.secret if before else False))
        default = value.get("default", before.value if before else None)
        variables[name] = Variable(name, None if secret else default, secret, place)
        if secret and value.get("default") is not None:
            yield _clear_secret(name, place)
    elif before is None and not first:
        message = f"variable '{name}' gets a value but is not declared"
        yield Problem(message, place=place, remedy=_nearest(name, variables) or f"declare it: {name}: {{default: …}}")
        variables[name] = Variable(name, value, False, place)
    elif before is not None and before.secret:
        yield _clear_secret(name, place)
    else:
        variables[name] = Variable(name, value, False, place)


def _clear_secret(name: str, place: Place | None) -> Problem:
    remedy = f"remove it and set {ENVIRONMENT_PREFIX}{name} where kxrecon runs"
    return Problem(f"the value of the secret variable '{name}' is written in clear", place=place, remedy=remedy)


def _with_value(variable: Variable, value: Value) -> Variable:
    return Variable(variable.name, value, variable.secret, variable.place)


def _typed(text: str, like: Value) -> Value:
    """A value from outside: text, unless the variable's own value is a number or a truth value."""
    return resolve(text) if isinstance(like, bool | int | float) else text


def _nearest(name: str, names: Mapping[str, Any]) -> str | None:
    close = get_close_matches(name, list(names), n=1)
    return f"did you mean '{close[0]}'?" if close else None


class Expansion:
    """One pass over the merged document that replaces ``${name}``. Subtrees without any stay the same objects."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = variables
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()  # secret variables in use: their texts stay as they are until validated
        self.unset: dict[str, None] = {}  # variables in use that nobody gave a value

    def expand(self, value: Value, path: SpecPath) -> Value:
        """``value`` with its variables in place; secrets stay ``${name}``."""
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return self._mapping(value, path)
        if isinstance(value, list):
            items = [self.expand(item, (*path, index)) for index, item in enumerate(value)]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        return value

    def _mapping(self, mapping: dict[str, Value], path: SpecPath) -> dict[str, Value]:
        changed: dict[str, Value] = {}
        for key, value in mapping.items():
            if key in VERBATIM and is_verbatim(path):
                continue
            new = self.expand(value, (*path, key))
            if new is not value:
                changed[key] = new
        return {**mapping, **changed} if changed else mapping

    def _text(self, text: str, path: SpecPath) -> Value:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole[2] is not None and not whole[1]:
            return self._value(whole[2], path, whole=True)
        return _REFERENCE.sub(lambda found: self._replaced(found, path), text)

    def _replaced(self, found: re.Match[str], path: SpecPath) -> str:
        if found[1]:
            return found.group()[1:]
        if found[2] is None:
            self.problems.append(Problem("'${' without its '}'", path=path, remedy="write $${ for a literal ${"))
            return found.group()
        value = self._value(found[2], path, whole=False)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _value(self, name: str, path: SpecPath, *, whole: bool) -> Value:
        reference = f"${{{name}}}"
        variable = self.variables.get(name)
        if variable is None:
            what = f"undeclared variable '{name}'" if _NAME.match(name) else f"'{reference}' names no variable"
            remedy = _nearest(name, self.variables) or f"declare it under variables, or write ${reference} for the text"
            self.problems.append(Problem(what, path=path, remedy=remedy))
        elif variable.secret:
            self._secret(name, path)
        elif variable.value is None:
            self.unset[name] = None
            remedy = f"set it in an overlay, with --var {name}=… or by {ENVIRONMENT_PREFIX}{name}"
            self.problems.append(Problem(f"the variable '{name}' has no value", path=path, remedy=remedy))
        else:
            return variable.value
        return reference

    def _secret(self, name: str, path: SpecPath) -> None:
        if is_authentication(path) or is_connection(path):
            self.secrets.add(name)
            return
        remedy = "use it in a target's secret or password, or in connections"
        self.problems.append(Problem(f"the secret variable '{name}' does not belong here", path=path, remedy=remedy))


def is_verbatim(parent: SpecPath) -> bool:
    """Whether ``parent`` is an export or a function: its query or body is never expanded."""
    section = parent[2] if len(parent) == 4 and parent[0] == "databases" else parent[1] if len(parent) == 2 else None
    return section in ("continuousExports", "functions")


def expandable(sources: Sequence[Source]) -> set[str]:
    """The sections that may hold a ``${``: by their text, so that the rest need not be walked.

    A file with aliases may repeat a text of one section in any other.
    """
    found: set[str] = set()
    for source in sources:
        if "${" not in source.text:
            continue
        lines = [number for number, line in enumerate(source.text.splitlines(), 1) if "${" in line]
        if lines and source.aliases:
            found.update(key for one in sources for key in one.document)
        elif lines:
            found.update(_sections_at(source, lines))
    return found


def _sections_at(source: Source, lines: Sequence[int]) -> Iterator[str]:
    starts = [(place.line, key) for key in source.document if (place := source.find((key,)))]
    ends = [line for line, _ in starts[1:]] + [lines[-1]]
    for (start, key), end in zip(starts, ends, strict=True):
        if any(start <= line <= end for line in lines):
            yield key
