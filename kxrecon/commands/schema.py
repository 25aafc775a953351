"""``kxrecon schema``: the JSON Schema of the spec, for editors and for other checkers."""

from __future__ import annotations

import argparse

from kxrecon.commands._exit import DONE
from kxrecon.commands._terminal import write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which of the two schemas, and in which form."""
    parser.add_argument("--overlay", action="store_true", help="the schema for overlays, which requires nothing")
    parser.add_argument("--markdown", action="store_true", help="as a reference to read instead")


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    from kxrecon.spec.schema import schema_text

    text = schema_text(overlay=options.overlay)
    if options.markdown:
        import json

        from kxrecon.report.schema import reference

        text = reference(json.loads(text))
    write(text)
    return DONE
