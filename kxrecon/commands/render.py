"""``kxrecon render SPEC…``: the merged spec, as one YAML document."""

from __future__ import annotations

import argparse

from kxrecon.commands import _options
from kxrecon.commands._exit import DONE
from kxrecon.commands._terminal import write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs and variables, and whether to say where each value comes from."""
    _options.specs(parser)
    parser.add_argument("--origins", action="store_true", help="behind each value the file and line that set it")


def run(options: argparse.Namespace) -> int:
    """Print what ``extends``, overlays, variables and defaults come to; secrets stay names."""
    from kxrecon.spec import raw_render

    given = _options.variable_values(options.variables)
    write(raw_render(options.specs, variables=given, origins=options.origins))
    return DONE
