"""``kxrecon lint SPEC``: what can be proved of the exports before anything is applied, with stable codes.

Offline unless asked to read the cluster (``--connected``) or to let it judge (``--server-check``).
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from kxrecon.commands import _each, _flow, _gate, _options
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
    _options.shard(parser)


def run(options: argparse.Namespace) -> int:
    """0 without errors, 1 with one (with --strict: with a warning); notes never fail."""
    if options.list:
        from kxrecon.lint import rules
        from kxrecon.report import lint as report

        if options.json:
            write(json.dumps(report.listed_record(rules()), indent=2, ensure_ascii=False) + "\n")
        elif options.markdown:
            write(report.listed_markdown(rules()))
        else:
            show(options, report.listed(rules()))
        return DONE
    if not options.specs:
        raise UsageError("which spec? kxrecon lint SPEC, or --list")
    asks = _asks(options)
    return _each.each(options, lambda one: _look(one, asks=asks))


def _look(options: argparse.Namespace, *, asks: bool) -> _each.Looked:
    from kxrecon.report import lint as report

    spec = _flow.load(options)
    checked = _connected(options, spec) if asks else findings(spec)
    found = placed(spec, checked)
    failing = {"error", "warning"} if options.strict else {"error"}
    code = FAILED if any(one.severity in failing for one in checked.findings) else DONE
    return _each.Looked(
        report.record(found, checked), report.text(found, checked), code, report.as_markdown(found, checked)
    )


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
