"""``kxrecon drift SPEC…``: is the cluster still what the spec says? For a schedule; read-only by construction."""

from __future__ import annotations

import argparse
import json

from kxrecon.commands import _flow, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import show, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, where, output."""
    _options.specs(parser)
    _options.surroundings(parser)
    _options.output(parser)


def run(options: argparse.Namespace) -> int:
    """0 if nothing differs, 2 if something does, 1 if that cannot be told because reads failed."""
    found = _flow.plan(options, _flow.load(options))
    if options.json:
        from kxrecon.planfile import to_json

        write(json.dumps(to_json(found), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        from kxrecon.report import markdown

        write(markdown.plan(found, title="kxrecon drift"))
    else:
        from kxrecon.report import text

        show(options, text.drift(found))
    if found.actions:
        return PENDING
    if any(finding.kind == "unknown" for finding in found.findings):
        return FAILED
    return PENDING if found.blocked else DONE
