"""``kxrecon lint SPEC``: what can be proved of the exports before anything is applied, with stable codes.

Offline unless asked to read the cluster (``--connected``) or to let it judge (``--server-check``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kxrecon.commands import _flow, _gate, _options
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._linted import deleted, server
from kxrecon.commands._terminal import show, write
from kxrecon.commands._wire import planes
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from kxrecon.errors import Place
    from kxrecon.lint import Checked
    from kxrecon.lint.rules import Lint
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, output, whether to list the rules, and whom to ask."""
    _options.specs(parser, nargs="*")
    _options.surroundings(parser)
    _options.output(parser)
    parser.add_argument("--list", action="store_true", help="the rules instead of findings")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    parser.add_argument("--connected", action="store_true", help="read what is there first; writes nothing")
    _options.server_check(parser)
    parser.set_defaults(shard=None)


def run(options: argparse.Namespace) -> int:
    """0 without errors, 1 with one (with --strict: with a warning); notes never fail."""
    if options.list:
        from kxrecon.lint import rules
        from kxrecon.report import lint as report

        show(options, report.listed(rules()))
        return DONE
    if not options.specs:
        raise UsageError("which spec? kxrecon lint SPEC, or --list")
    told = [_Told(files, *_checked(options, files)) for files in _flow.groups(options)]
    _tell(options, told)
    failing = {"error", "warning"} if options.strict else {"error"}
    return FAILED if any(finding.severity in failing for one in told for finding in one.checked.findings) else DONE


@dataclass(frozen=True, slots=True)
class _Told:
    files: Sequence[str]
    found: list[tuple[Lint, Place | None]]
    checked: Checked


def _checked(options: argparse.Namespace, files: Sequence[str]) -> tuple[list[tuple[Lint, Place | None]], Checked]:
    spec = _flow.load(options, files)
    checked = _connected(options, spec) if _asks(options) else findings(spec)
    return placed(spec, checked), checked


def _tell(options: argparse.Namespace, told: Sequence[_Told]) -> None:
    from kxrecon.report import lint as report
    from kxrecon.report.lines import line

    if options.json:
        records = [json.loads(report.as_json(one.found, one.checked)) for one in told]
        several = {"specs": [{"files": list(one.files), **record} for one, record in zip(told, records, strict=True)]}
        write(json.dumps(several if len(told) > 1 else records[0], indent=2, ensure_ascii=False) + "\n")
        return
    for one in told:
        named = ", ".join(one.files) if len(told) > 1 else ""
        if options.markdown:
            write((f"### {named}\n\n" if named else "") + report.as_markdown(one.found, one.checked))
        else:
            show(options, [*([line(named, "bold")] if named else []), *report.text(one.found, one.checked)])


def _asks(options: argparse.Namespace) -> bool:
    """Whether the cluster is to be read. A sandbox that nobody asks is an option without effect: refused."""
    asked = bool(options.connected or options.server_check)
    if not asked and (options.sandbox or options.sandbox_file or options.inventory):
        raise UsageError("lint is offline: --sandbox needs --connected or --server-check")
    return asked


def _connected(options: argparse.Namespace, spec: Spec) -> Checked:
    """What the pack says of a spec over what the cluster has, and the server if it is asked."""
    from kxrecon.lint import check

    _gate.check_cluster(spec)
    with planes(options, spec, spec.scope, read_only=True) as clients:
        made, seen = _flow.plan_over(options, spec, clients, lint=False)
        ask = server(options, spec, seen, made.actions, clients)
        return check(spec.document, spec.desired, seen.state, gone=deleted(made.actions), ask=ask)


def findings(spec: Spec, *, deep: bool = True) -> Checked:
    """What the pack says of a spec."""
    from kxrecon.lint import check

    return check(spec.document, spec.desired, deep=deep)


def placed(spec: Spec, checked: Checked) -> list[tuple[Lint, Place | None]]:
    """The findings with their places, in file order."""
    from kxrecon.lint.place import Placing

    placing = Placing(spec, checked.findings)
    found = [(one, placing.place(one)) for one in checked.findings]
    return sorted(found, key=lambda pair: (pair[1].file, pair[1].line, pair[1].column) if pair[1] else ("", 0, 0))
