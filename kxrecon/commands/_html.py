"""``--html FILE``: what a verb found as one page, beside its other output."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands._terminal import show
from kxrecon.commands._wire import wire_name
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.report.html.page import Heading
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--html FILE``."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page too: one file that needs no network")


def heading(options: argparse.Namespace, verb: str, cluster: str, files: Sequence[str]) -> Heading:
    """What a page says of itself; its title is the page's own matter. ``cluster`` is empty for several."""
    from kxrecon.report.html.page import Heading, moment

    return Heading(verb, cluster=cluster, wire=wire_name(options), spec=files, time=moment(datetime.now(UTC)))


def of_specs(options: argparse.Namespace, verb: str, specs: Sequence[Spec]) -> Heading:
    """The heading of a page about the clusters of specs."""
    cluster = specs[0].scope.cluster_uri if len(specs) == 1 else ""
    return heading(options, verb, cluster, tuple(dict.fromkeys(file for spec in specs for file in spec.files)))


def save(options: argparse.Namespace, page: str) -> None:
    """Replace the file as a whole, for its owner alone, and name it to people; FileError if it cannot be written."""
    from kxrecon.files import write_private

    write_private(options.html, page, mark='content="kxrecon"', what=f"--html {options.html}")
    if not any(getattr(options, form, False) for form in ("json", "markdown", "openmetrics")):
        show(options, [line(f"page: {options.html}", "dim")])
