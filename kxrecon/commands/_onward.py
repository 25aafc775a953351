"""The command lines that kxrecon tells people to go on with: as they can be typed, for the same specs and wire.

Secrets are never part of them: whoever goes on has to give them again.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kxrecon.commands._files import SANDBOX

if TYPE_CHECKING:
    from kxrecon.model import Finding
    from kxrecon.plan import Plan

_SANDBOX = "sandbox:"
# What is said where nobody knows the specs: ``kxrecon import --cluster … --merge SPEC``.
_OPEN = re.compile(
    r"(kxrecon [a-z]+(?: done)?(?: --(?!merge)\S+ \S+)*(?P<merge> --merge)?) SPEC(?P<rest>(?: --\S+ \S+)*)"
)


def where(options: argparse.Namespace) -> list[str]:
    """The words that choose the same wire."""
    if options.sandbox_file:
        return ["--sandbox-file", str(options.sandbox_file)]
    return ["--sandbox"] if options.sandbox else []


def where_of(wire: str) -> list[str]:
    """The same, from a wire's name."""
    if not wire.startswith(_SANDBOX):
        return []
    path = wire.removeprefix(_SANDBOX)
    return ["--sandbox"] if path == str(SANDBOX) else ["--sandbox-file", path]


def given(pairs: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """``--var NAME=VALUE`` for each pair that is no secret."""
    hidden = set(secrets)
    return [word for pair in pairs if pair.partition("=")[0] not in hidden for word in ("--var", pair)]


def command(verb: str, files: Sequence[str], variables: Sequence[str], at: Sequence[str]) -> str:
    """A whole command line."""
    return shlex.join(["kxrecon", *verb.split(), *files, *variables, *at])


def again(verb: str, plan: Plan) -> str:
    """A verb for what a plan was made for."""
    return command(verb, plan.spec_files, _variables(plan.variables), where_of(plan.wire))


def _variables(values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in ("--var", f"{name}={value}")]


def filled(text: str, plan: Plan) -> str:
    """A text with the specs, variables and wire of a plan in the command lines that leave them open."""
    return _completed(text, plan.spec_files, _variables(plan.variables), where_of(plan.wire))


def completed(text: str, options: argparse.Namespace, secrets: Iterable[str]) -> str:
    """The same with what the options say."""
    return _completed(text, options.specs, given(options.variables, secrets), where(options))


def _completed(text: str, files: Sequence[str], variables: Sequence[str], at: Sequence[str]) -> str:
    def whole(found: re.Match[str]) -> str:
        merges = bool(found["merge"])  # takes one file and no variables: which of several, people have to say
        named = "SPEC" if merges and len(files) > 1 else shlex.join(files)
        more = shlex.join([*([] if merges else variables), *at])
        return f"{found[1]} {named}{found['rest']}{' ' if more else ''}{more}"

    return _OPEN.sub(whole, text) if " SPEC" in text else text


def told(findings: Sequence[Finding], plan: Plan) -> tuple[Finding, ...]:
    """Findings with whole command lines."""
    return tuple(
        replace(one, message=filled(one.message, plan), remedy=filled(one.remedy, plan)) if _is_open(one) else one
        for one in findings
    )


def _is_open(finding: Finding) -> bool:
    return " SPEC" in finding.remedy or " SPEC" in finding.message
