"""Ids that are known after apply, in what other people run: a shell script looks them up, KQL and T-SQL say how.

An identity has its ids once it is there; a script that is run too early stops, and says what comes first.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from kxrecon.leaves import shown
from kxrecon.model import Deferred, Unknown
from kxrecon.scope import SYSTEM, Scope

_NOT_IN_NAME = re.compile(r"\W")


def placeholder(leaf: Unknown | Deferred) -> str:
    """What stands for an id that is not known yet."""
    return f"<{leaf.attribute} of {leaf.ref.label}>" if isinstance(leaf, Unknown) else f"<{shown(leaf)}>"


def in_shell(lines: Iterable[str], leaves: Iterable[Unknown], scope: Scope) -> Iterator[str]:
    """Lines of a shell script with their placeholders as variables, below what looks these up."""
    variables = {placeholder(leaf): leaf for leaf in leaves}
    for leaf in variables.values():
        yield f"{_variable(leaf)}=$({_command(leaf, scope)})"
        yield f': "${{{_variable(leaf)}:?{_missing(leaf)}}}"'
    for line in lines:
        for text, leaf in variables.items():
            line = line.replace(f"'{text}'", f'"${_variable(leaf)}"').replace(text, f"${{{_variable(leaf)}}}")
        yield line


def is_lookup(line: str) -> bool:
    """Whether a line only looks an id up: once is enough in a script."""
    return re.match(r"\w+_of_\w+=\$\(|: \"\$\{\w+_of_", line) is not None


def told(leaves: Iterable[Unknown | Deferred], scope: Scope, comment: str) -> Iterator[str]:
    """Comments that say what to put in for each placeholder of a command that cannot look anything up."""
    for leaf in dict.fromkeys(leaves):
        if isinstance(leaf, Unknown):
            yield f"{comment} put in for {placeholder(leaf)} what this prints: {_command(leaf, scope)}"
            continue
        for part in leaf.arguments:
            if isinstance(part, Unknown):
                cast = f"SELECT CONVERT(VARBINARY(16), CONVERT(UNIQUEIDENTIFIER, '{placeholder(part)}'))"
                yield f"{comment} put in for {placeholder(leaf)} what this shows: {cast}"
                yield from told((part,), scope, comment)


def _variable(leaf: Unknown) -> str:
    return _NOT_IN_NAME.sub("_", f"{leaf.attribute}_of_{leaf.ref.label}")


def _missing(leaf: Unknown) -> str:
    return f"{leaf.ref.label} has no {leaf.attribute} yet, attach it to the cluster first"


def _command(leaf: Unknown, scope: Scope) -> str:
    """The az command that prints an id of an identity."""
    symbol = leaf.ref.label
    resource_id = scope.identities.get(symbol)
    if resource_id and symbol != SYSTEM:
        return _az("identity", "show", "--ids", resource_id, "--query", leaf.attribute, "--output", "tsv")
    cluster = ("resource", "show", "--ids", scope.cluster_id or "CLUSTER")
    if leaf.attribute == "clientId":
        principal = _az(*cluster, "--query", "identity.principalId", "--output", "tsv")
        return f'az ad sp show --id "$({principal})" --query appId --output tsv'
    return _az(*cluster, "--query", f"identity.{leaf.attribute}", "--output", "tsv")


def _az(*words: str) -> str:
    return "az " + " ".join(shlex.quote(word) for word in words)
