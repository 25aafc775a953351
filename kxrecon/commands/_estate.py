"""What the proving verbs share: which exports are meant, by specs or by a cluster's address, and their survey."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from kxrecon.commands import _fleet, _flow, _gate, _onward, _options, _saved
from kxrecon.commands._wire import planes
from kxrecon.errors import UsageError
from kxrecon.report.fleet import Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kxrecon.model import Plane
    from kxrecon.planes import PlaneClient
    from kxrecon.spec import Spec
    from kxrecon.verify import Known

    Ask = Callable[[argparse.Namespace, Spec, Mapping[Plane, PlaneClient]], "T"]

T = TypeVar("T")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``SPEC… EXPORT…``, or a cluster."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="SPEC|EXPORT",
        help="specs, or a folder of them, then exports (Telemetry/ArchiveEvents, or the name alone; default: all)",
    )
    _options.variables(parser)
    parser.add_argument("--all", action="store_true", help="exports that are in no spec too")
    parser.add_argument("--cluster", metavar="URI", help="a cluster without a spec (all of its exports)")
    parser.add_argument(
        "--resource-id",
        default="",
        type=_options.cluster_id,
        metavar="ID",
        help="the ARM id of that cluster, for the links in ARM",
    )
    _options.surroundings(parser)
    _options.shard(parser)


def split(what: Sequence[str]) -> tuple[list[str], list[str]]:
    """Spec files, or folders of them, and names of exports."""
    specs = [one for one in what if one.endswith((".yaml", ".yml", ".json")) or _holds_specs(Path(one))]
    return specs, [one for one in what if one not in specs]


def _holds_specs(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(one.suffix in (".yaml", ".yml") for one in path.iterdir()))


def each(options: argparse.Namespace, one: Ask[T]) -> list[Told[T]]:
    """What the cluster of every spec that is meant answers; the one that was asked alone has no name, and fails."""
    specs = split(options.what)[0]
    _check(options, specs)
    many = _fleet.fleet(options, specs) if specs else None
    if many is not None:
        return _fleet.over(options, many, one)
    spec = load(options)
    with opened(options, spec) as clients:
        return [Told("", spec.scope.cluster_uri, one(options, spec, clients))]


def load(options: argparse.Namespace) -> Spec:
    """The spec that is meant, or an empty one around ``--cluster``."""
    specs = split(options.what)[0]
    _check(options, specs)
    return _flow.load(options, specs) if specs else _bare(options)


def _check(options: argparse.Namespace, specs: Sequence[str]) -> None:
    """UsageError for options that do not go together."""
    if options.shard and not specs:
        raise UsageError("--shard is a share of specs: name some")
    if options.cluster and specs:
        raise UsageError("--cluster is for exports without a spec: name one or the other")
    if specs and options.resource_id:
        raise UsageError("--resource-id is the id of a --cluster without a spec: a spec has cluster.resourceId")
    if not specs and not options.cluster:
        raise UsageError("which exports? name a spec, or a cluster with --cluster URI")


def _bare(options: argparse.Namespace) -> Spec:
    from kxrecon.model import State
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec
    from kxrecon.takeover.survey import cloud_of

    uri = options.cluster.rstrip("/")
    if urlsplit(uri).scheme not in ("https", "http") or not urlsplit(uri).hostname:
        raise UsageError(
            f"--cluster takes the cluster's address, https://NAME.REGION.kusto.windows.net, not {options.cluster!r}"
        )
    # No subscription is named: accounts are looked for wherever this caller sees any.
    scope = Scope(name="", cluster_uri=uri, cluster_id=options.resource_id, cloud=cloud_of(uri))
    spec = Spec(name="", files=(), document={}, scope=scope, desired=State())
    _gate.check_cluster(spec)
    return spec


@contextmanager
def opened(options: argparse.Namespace, spec: Spec) -> Iterator[Mapping[Plane, PlaneClient]]:
    """Planes that only read."""
    with planes(options, spec, spec.scope, read_only=True) as clients:
        yield clients


def survey(options: argparse.Namespace, spec: Spec, clients: Mapping[Plane, PlaneClient]) -> Known:
    """Everything that a proof needs."""
    from kxrecon.verify import survey

    everything = options.all or not spec.files
    return survey(
        spec.scope,
        spec.desired,
        clients,
        everything=everything,
        apply=apply_line(options, spec),
        workers=options.max_parallel,
    )


def apply_line(options: argparse.Namespace, spec: Spec) -> str:
    """The command line that makes the spec true, with the same variables and the same wire."""
    if not spec.files:
        return ""
    named = getattr(options, "specs", None) or split(options.what)[0]
    specs = [one for one in named if not _saved.is_plan(Path(one))]
    variables = _onward.given(options.variables, spec.secrets)
    return _onward.command("apply", specs or spec.named, variables, _onward.where(options))


def meant(known: Known, spec: Spec, *, everything: bool) -> list[str]:
    """The labels of the exports to look at where none is named."""
    if everything or not spec.files:
        return [subject.export.ref.label for subject in known.subjects()]
    return sorted(ref.label for ref in spec.desired.entities if ref.kind == "continuous_export")


def check_named(options: argparse.Namespace, found: Sequence[Known]) -> None:
    """UsageError for an export that the command line names and that no cluster has; if none answered, nobody knows."""
    if found:
        there = [subject.export.ref.label for known in found for subject in known.subjects()]
        check(split(options.what)[1], there)


def check(exports: Sequence[str], there: Sequence[str]) -> None:
    """UsageError for a name that no export has, with the nearest that one has."""
    from difflib import get_close_matches

    short = [label.partition("/")[2] for label in there]
    for name in exports:
        if name not in there and name not in short:
            near = get_close_matches(name, [*there, *short], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise UsageError(f"there is no export '{name}'{hint}")
