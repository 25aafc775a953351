"""``kxrecon lint SPEC``: what can be proved of the exports offline, with stable codes; ``--list`` shows the pack."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kxrecon.commands import _flow, _options
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._terminal import show, write
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from kxrecon.errors import Place
    from kxrecon.lint import Checked
    from kxrecon.lint.rules import Lint
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, output, and whether to list the rules."""
    _options.specs(parser, nargs="*")
    _options.output(parser)
    parser.add_argument("--list", action="store_true", help="the rules instead of findings")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")


def run(options: argparse.Namespace) -> int:
    """0 without errors, 1 with one (with --strict: with a warning); notes never fail."""
    from kxrecon.report import lint as report

    if options.list:
        from kxrecon.lint import rules

        show(options, report.listed(rules()))
        return DONE
    if not options.specs:
        raise UsageError("which spec? kxrecon lint SPEC, or --list")
    spec = _flow.load(options)
    checked = findings(spec)
    found = placed(spec, checked)
    if options.json:
        write(report.as_json(found, checked))
    elif options.markdown:
        write(report.as_markdown(found, checked))
    else:
        show(options, report.text(found, checked))
    failing = {"error", "warning"} if options.strict else {"error"}
    return FAILED if any(one.severity in failing for one in checked.findings) else DONE


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
