"""Options that several verbs share, each written once."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from kxrecon.errors import UsageError


def specs(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """``SPEC…`` and the values of its variables."""
    parser.add_argument(
        "specs",
        nargs=nargs,
        metavar="SPEC",
        help="spec files, or a folder of them; one that names no cluster is merged over the one before",
    )
    variables(parser)


def shard(parser: argparse.ArgumentParser, *, stop: bool = False) -> None:
    """``--shard``, and ``--stop-on-failure`` for verbs that write."""
    group = parser.add_argument_group("many clusters")
    group.add_argument("--shard", metavar="I/N", help="only this share of the specs; auto in a Kubernetes Indexed Job")
    if stop:
        group.add_argument("--stop-on-failure", action="store_true", help="begin no other cluster after a failure")


def variables(parser: argparse.ArgumentParser) -> None:
    """``--var NAME=VALUE``."""
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="variables",
        help="value of a variable that the spec declares (also KXRECON_VAR_NAME in the environment)",
    )


def surroundings(parser: argparse.ArgumentParser, *, parallel: bool = True) -> None:
    """Where the services are: on Azure, or in the sandbox; and how many requests at once, where a verb sends many."""
    group = parser.add_argument_group("where")
    group.add_argument("--sandbox", action="store_true", help="use the embedded Azure, kept in .kxrecon/sandbox.db")
    group.add_argument("--sandbox-file", type=Path, metavar="FILE", help="the same, kept in FILE")
    group.add_argument(
        "--inventory", type=Path, metavar="FILE", help="what exists in a new sandbox (else what the spec addresses)"
    )
    if not parallel:
        return
    group.add_argument(
        "--max-parallel", type=count, default=8, metavar="N", help="requests at the same time (default 8)"
    )


def output(parser: argparse.ArgumentParser, *, markdown: bool = True) -> None:
    """In which form, and where to."""
    group = parser.add_argument_group("output")
    form = group.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    if markdown:
        form.add_argument("--markdown", action="store_true", help="as Markdown, fit for a pull-request comment")
    group.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


def allowances(parser: argparse.ArgumentParser) -> None:
    """``--allow HAZARD[:ENTITY]``."""
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="HAZARD[:ENTITY]",
        help="allow a hazard that the plan names, for one entity or for all",
    )


def adopt(parser: argparse.ArgumentParser) -> None:
    """``--adopt``."""
    parser.add_argument(
        "--adopt", action="store_true", help="put the spec's mark on grants that it describes and that carry none"
    )


def reassert(parser: argparse.ArgumentParser) -> None:
    """``--reassert [ENTITY]``."""
    parser.add_argument(
        "--reassert",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar="ENTITY",
        help="write again what cannot be read back, of one entity or of all; put it after the specs",
    )


def server_check(parser: argparse.ArgumentParser) -> None:
    """``--server-check``."""
    parser.add_argument(
        "--server-check",
        action="store_true",
        help="let the server judge each query and, by a dry run that keeps nothing, each external table to write",
    )


def lanes(parser: argparse.ArgumentParser) -> None:
    """``--lane LANE``."""
    parser.add_argument(
        "--lane",
        action="append",
        default=[],
        metavar="LANE",
        help="only what is done on this plane (arm, kusto, adls, sql), or in one place there (kusto/Telemetry)",
    )


def count(text: str) -> int:
    """A number from 1 to 64."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return number


_CLUSTER_ID = re.compile(r"(?i)/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Kusto/clusters/[^/]+")


def cluster_id(text: str) -> str:
    """The Azure resource id of a cluster."""
    found = text.rstrip("/")
    if text and not _CLUSTER_ID.fullmatch(found):
        form = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Kusto/clusters/NAME"
        raise argparse.ArgumentTypeError(f"{text!r} is not the Azure resource id of a cluster, {form}")
    return found


def variable_values(pairs: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` pairs as a mapping; UsageError for one without ``=`` or a name given twice."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, content = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--var takes NAME=VALUE, not {name!r}")
        if name in values:
            raise UsageError(f"--var {name} is given twice")
        values[name] = content
    return values


def wants_colour(options: argparse.Namespace, terminal: bool) -> bool:
    """Colour is for terminals, and for people who did not say no (no-color.org)."""
    return terminal and not options.no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
