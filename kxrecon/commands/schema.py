"""``kxrecon schema``: the JSON Schema of the spec, for editors and for other checkers."""

from __future__ import annotations

import argparse
import json

from kxrecon.commands._exit import DONE
from kxrecon.commands._terminal import write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which of the two schemas, and in which form."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--overlay", action="store_true", help="the schema for overlays, which requires nothing")
    form.add_argument("--markdown", action="store_true", help="the reference to read, docs/spec.md")


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    from kxrecon.spec.schema import main_schema, overlay_schema

    schema = main_schema()
    if options.markdown:
        from kxrecon.report.reference import reference

        write(reference(schema))
    else:
        write(json.dumps(overlay_schema(schema) if options.overlay else schema, indent=2, ensure_ascii=False) + "\n")
    return DONE
