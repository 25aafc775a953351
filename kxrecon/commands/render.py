"""``kxrecon render SPEC…``: the merged spec, as one YAML document; one each of several."""

from __future__ import annotations

import argparse

from kxrecon.commands import _each, _options
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._terminal import complain, write
from kxrecon.errors import SpecError
from kxrecon.report.safe import visible


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs and variables, and whether to say where each value comes from."""
    _options.specs(parser)
    _options.shard(parser)
    parser.add_argument("--origins", action="store_true", help="behind each value the file and line that set it")


def run(options: argparse.Namespace) -> int:
    """Print what ``extends``, overlays, variables and defaults come to; secrets stay names."""
    from kxrecon.spec import raw_render

    given = _options.variable_values(options.variables)
    found = _each.several(options)
    if found is None:
        write(raw_render(options.specs, variables=given, origins=options.origins))
        return DONE
    code = DONE
    for files in found:
        try:
            rendered = raw_render(files, variables=given, origins=options.origins)
        except SpecError as error:
            complain([str(error)])
            code = FAILED
        else:
            write(f"---\n# {visible(', '.join(files))}\n{rendered}")
    return code
