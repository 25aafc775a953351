"""``kxrecon render SPEC…``: the merged spec, as one YAML document."""

from __future__ import annotations

import argparse

from kxrecon.commands import _options
from kxrecon.commands._exit import DONE
from kxrecon.commands._terminal import write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs and variables."""
    _options.specs(parser)


def run(options: argparse.Namespace) -> int:
    """Print what ``extends``, overlays, variables and defaults come to; secrets stay names."""
    from kxrecon.spec import raw_render

    write(raw_render(options.specs, variables=_options.variable_values(options.variables)))
    return DONE
