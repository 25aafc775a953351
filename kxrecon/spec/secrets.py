"""Secrets: only in authentication fields, only as variables, only resolved when a request is sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kxrecon.errors import Problem, SpecError
from kxrecon.model import Secret, Value
from kxrecon.spec.source import SpecPath

ENVIRONMENT_PREFIX: Final = "KXRECON_VAR_"
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HARMLESS: Final = re.compile(r"(?:impersonate|managed_identity=[^;]*|\*+)?\Z", re.IGNORECASE)
_SHOWN: Final = re.compile(
    r"((?:sig|sharedkey|token|awscredentials|password|pwd|accountkey)=)[^&;\s'\"]+|(\.(?:blob|dfs)\.[^;\s'\"]*;)(?!impersonate|managed_identity=|\$\{)[^\s'\"]+",
    re.IGNORECASE,
)
_SQL_PASSWORD: Final = re.compile(r"(?:password|pwd|accountkey)\s*=\s*(?!\$\{)[^;\s]", re.IGNORECASE)


@dataclass(frozen=True)
class Secrets(Mapping[str, str]):
    """Secret variables by name. Values are looked up when a request is sent, and never shown."""

    names: frozenset[str] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __getitem__(self, variable: str) -> str:
        """A secret's value. Raises KeyError if there is no such secret variable, SpecError if it has no value."""
        if variable not in self.names:
            raise KeyError(variable)
        value = self.given.get(variable, self.environ.get(ENVIRONMENT_PREFIX + variable))
        if not value:
            remedy = f"set {ENVIRONMENT_PREFIX}{variable} or pass --var {variable}=…"
            raise SpecError([Problem(f"the secret variable '{variable}' has no value", remedy=remedy)])
        return value

    def __contains__(self, variable: object) -> bool:
        return variable in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def __len__(self) -> int:
        return len(self.names)


def is_authentication(path: SpecPath) -> bool:
    """Whether a value is a secret by its place: a target's ``secret`` or ``password``, or its default."""
    return (
        len(path) == 3
        and (path[0] == "targets" or path[:2] == ("defaults", "targets"))
        and path[2] in ("secret", "password")
    )


def is_connection(path: SpecPath) -> bool:
    """Whether a value is a raw connection string of an external table, or its default."""
    if path[:1] == ("databases",):
        return len(path) == 6 and path[2] == "externalTables" and path[4] == "connections"
    return len(path) == 4 and path[:3] == ("defaults", "externalTables", "connections")


def with_secrets(document: dict[str, Value], names: Collection[str]) -> dict[str, Value]:
    """The document with ``Secret`` leaves in its authentication fields; ``names`` are the secrets in use.

    A text that is one reference becomes the leaf, a longer one a tuple of texts and leaves.
    """
    if not names:
        return document
    result = dict(document)
    for path, text in _authentications(document):
        if any(found[1] in names for found in _REFERENCE.finditer(text)):
            result = _replaced_at(result, path, _parts(text))
    return result


def _replaced_at(container: Any, path: SpecPath, new: Value) -> Any:
    if not path:
        return new
    if isinstance(container, list):
        return [_replaced_at(item, path[1:], new) if index == path[0] else item for index, item in enumerate(container)]
    return {**container, path[0]: _replaced_at(container[path[0]], path[1:], new)}


def _parts(text: str) -> Value:
    parts: list[str | Secret] = []
    position = 0
    for found in _REFERENCE.finditer(text):
        parts += [text[position : found.start()], Secret(found[1])]
        position = found.end()
    kept = tuple(part for part in (*parts, text[position:]) if part)
    return kept[0] if len(kept) == 1 else kept


def _authentications(document: Mapping[str, Any]) -> Iterator[tuple[SpecPath, str]]:
    """Every text of the document that may hold a secret, with its path; malformed parts are left out."""
    for name, target in _items(document.get("targets")):
        for key in ("secret", "password"):
            if isinstance(target, dict) and isinstance(target.get(key), str):
                yield ("targets", name, key), target[key]
    for database, sections in _items(document.get("databases")):
        for name, table in _items(sections.get("externalTables") if isinstance(sections, dict) else None):
            connections = table.get("connections") if isinstance(table, dict) else None
            for index, text in enumerate(connections if isinstance(connections, list) else ()):
                if isinstance(text, str):
                    yield ("databases", database, "externalTables", name, "connections", index), text


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    return iter(value.items() if isinstance(value, dict) else ())


def clear_secrets(document: Mapping[str, Any], names: Collection[str]) -> list[Problem]:
    """A problem for each secret that is written out instead of being named; it is never repeated."""
    remedy = 'declare a variable with secret: true and write "${name}"'
    return [
        Problem("a secret is written in clear", path, entity=_label(path), remedy=remedy)
        for path, text in _authentications(document)
        if not any(found[1] in names for found in _REFERENCE.finditer(text))
        and (path[0] == "targets" or _gives_away(text))
    ]


def masked(text: str) -> str:
    """A message without what looks like a credential: the last guard, behind fields that are never shown."""
    return _SHOWN.sub(lambda found: f"{found[1] or found[2]}…", text)


def _gives_away(connection: str) -> bool:
    """Whether a connection string holds a credential: a SAS or presigned query, a key, a token, a password."""
    uri, _, suffix = connection.partition(";")
    if "://" in uri:
        return "?" in uri or not _HARMLESS.match(suffix.strip())
    return bool(_SQL_PASSWORD.search(connection))


def _label(path: SpecPath) -> str:
    return f"targets/{path[1]}" if path[0] == "targets" else f"{path[1]}/{path[3]}"
