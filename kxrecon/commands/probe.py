"""``kxrecon probe CLUSTER --database SCRATCH``: which of the facts that no page confirms hold on this cluster."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kxrecon import __version__
from kxrecon.commands import _options
from kxrecon.commands._exit import DONE, FAILED, INTERRUPTED, PENDING
from kxrecon.commands._files import STATE
from kxrecon.commands._terminal import confirm, on_terminal, show, write
from kxrecon.commands._wire import planes_of, sandbox_file, wire_name
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kxrecon.probe.conversation import Conversation
    from kxrecon.probe.model import Given
    from kxrecon.probe.run import Run
    from kxrecon.probe.stock import Stock
    from kxrecon.probed import Probed

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FQN = re.compile(r"aad(user|group|app)=[^;\s]+(;\S+)?")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, what may be used, and whether to ask."""
    parser.add_argument("cluster", metavar="CLUSTER", help="https://NAME.REGION.kusto.windows.net")
    parser.add_argument("--database", required=True, metavar="SCRATCH", help="an empty database to try things in")
    group = parser.add_argument_group("what may be used (without, the questions that need it are not asked)")
    group.add_argument("--storage", default="", metavar="URL", help="a container for external tables; no credentials")
    group.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="ID",
        help="'system', or the object id of an identity on the cluster (twice: whether a change of it moves cursors)",
    )
    group.add_argument(
        "--principal", default="", metavar="FQN", help="aadapp=ID;TENANT: is made a monitor, and dropped"
    )
    group.add_argument("--role-at", default="", metavar="SCOPE", help="ARM scope at which the identity becomes Reader")
    group.add_argument("--record", action="store_true", help="give the exports one record: each leaves a file there")
    group.add_argument("--wait", type=_seconds, default=300.0, metavar="SECONDS", help="for their first run (300)")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--read-only", action="store_true", help="write nothing: ask what any database can tell")
    doing.add_argument("--clean-up", action="store_true", help="take away what a run left that was killed")
    parser.add_argument("--not-empty", action="store_true", help="go on although the database holds things of others")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")
    parser.add_argument(
        "--out", type=Path, default=STATE, metavar="DIR", help=f"where probe.json and probe.md go ({STATE})"
    )
    _options.surroundings(parser, parallel=False)
    _options.output(parser)
    parser.add_argument("--verbose", action="store_true", help="in the text, the evidence of every answer")


def run(options: argparse.Namespace) -> int:
    """0 nothing that kxrecon does not count on, 2 something is, 1 something was left behind, 130 interrupted."""
    from kxrecon.probe.conversation import Conversation
    from kxrecon.scope import Scope
    from kxrecon.takeover.survey import cloud_of

    given = _given(options)
    uri = options.cluster.rstrip("/")
    scope = Scope(name="probe", cluster_uri=uri, cloud=cloud_of(uri))
    with planes_of(options, None, scope, read_only=options.read_only) as clients:
        talk = Conversation(clients, given.database)
        if options.clean_up:
            return _clean_up(options, talk)
        began = _now()
        made = _asked(options, talk, given)
        if made is None:
            write("nothing was done.\n")
            return FAILED
        return _told(options, talk, made, began)


# ---- what is given
def _given(options: argparse.Namespace) -> Given:
    """The options as one value. UsageError for one that cannot be used; none of them may hold a secret."""
    from kxrecon.probe.model import Given
    from kxrecon.storage_uri import locate

    if urlsplit(options.cluster).scheme not in ("https", "http") or not urlsplit(options.cluster).hostname:
        raise UsageError(f"CLUSTER is its address, https://NAME.REGION.kusto.windows.net, not {options.cluster!r}")
    used = [name for name in ("storage", "identity", "principal", "role_at", "record") if getattr(options, name)]
    if used and (options.read_only or options.clean_up):
        raise UsageError(f"--{used[0].replace('_', '-')} is for what is made, and this makes nothing")
    if options.storage and (locate(options.storage) is None or set(options.storage) & set("?;'\"\n ")):
        raise UsageError("--storage takes https://ACCOUNT.blob.core.windows.net/CONTAINER, without any credentials")
    for one in options.identity:
        if one != "system" and not _GUID.fullmatch(one):
            raise UsageError(f"--identity takes 'system' or an object id, not {one!r}")
    if options.principal and not _FQN.fullmatch(options.principal):
        raise UsageError(f"--principal takes aadapp=ID;TENANT, aadgroup=… or aaduser=…, not {options.principal!r}")
    if options.role_at and not options.role_at.lower().startswith("/subscriptions/"):
        raise UsageError(f"--role-at takes an ARM id, /subscriptions/…, not {options.role_at!r}")
    return Given(
        database=options.database,
        storage=options.storage.rstrip("/"),
        identities=tuple(dict.fromkeys(options.identity)),
        principal=options.principal,
        role_at=options.role_at.rstrip("/"),
        record=options.record,
    )


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdigit() or int(text) > 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to 3600")
    return float(text)


# ---- asking
def _asked(options: argparse.Namespace, talk: Conversation, given: Given) -> Run | None:
    """The run; None if somebody said no."""
    from kxrecon.probe.run import Pace, experiment, look_only

    if options.read_only:
        return look_only(talk, given)
    there = _checked(options, talk, given)
    given = replace(given, policy_taken=there.has_policy)
    if not _agreed(options, given):
        return None
    wait = 0.0 if sandbox_file(options) else options.wait  # nothing runs by itself there
    return experiment(talk, given, Pace(wait, time.sleep, _progress))


def _progress(text: str) -> None:
    from kxrecon.report.safe import visible

    with suppress(OSError, ValueError):  # whoever read along may have gone; the rest is done all the same
        print(visible(text), file=sys.stderr)


def _checked(options: argparse.Namespace, talk: Conversation, given: Given) -> Stock:
    """What is in the database. UsageError if it is no scratch database."""
    from kxrecon.probe import stock

    there = stock.take(talk)
    if there.own:
        raise UsageError(f"an earlier run left things in {given.database}; take them away first:\n  {_clean(options)}")
    foreign = [*there.foreign, *(["a managed_identity policy"] if there.has_policy else [])]
    if foreign and not options.not_empty:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise UsageError(
            f"{given.database} is not empty: it holds {', '.join(foreign[:3])}{more}. Name an empty database, or say "
            "--not-empty: things of others are left alone"
        )
    if given.principal and stock.is_monitor(talk, given.principal):
        raise UsageError(f"{given.principal} is a monitor of {given.database} already: name somebody who is none")
    return there


def _agreed(options: argparse.Namespace, given: Given) -> bool:
    """Say what will be written, and ask."""
    from kxrecon.probe.commands import PREFIX
    from kxrecon.probe.run import intent
    from kxrecon.report import probe as report

    if options.yes and (options.json or options.markdown):
        return True
    what = f"on {options.cluster} ({wire_name(options)}), in database {given.database}"
    if not options.yes and not on_terminal():
        raise UsageError(f"the probe writes {what}: nobody is here to be asked, so say --yes, or --read-only")
    notes = [f"names begin with {PREFIX}; everything is taken away again, whatever happens"]
    if given.storage and given.identities:
        files = "leave a file each" if given.record else "write no file, as their tables are empty"
        notes.append(f"the exports go to {given.storage}/kxrecon-probe and {files}")
    write(f"the probe will make, {what}:\n")
    show(options, report.intent(intent(given), notes))
    return options.yes or confirm("Go on?")


# ---- clearing up after a run that was killed
def _clean(options: argparse.Namespace) -> str:
    words = ["kxrecon", "probe", options.cluster, "--database", options.database, "--clean-up"]
    if options.sandbox_file:
        words += ["--sandbox-file", str(options.sandbox_file)]
    elif options.sandbox:
        words.append("--sandbox")
    return shlex.join(words)


def _clean_up(options: argparse.Namespace, talk: Conversation) -> int:
    from kxrecon.probe.clear import clear
    from kxrecon.probe.stock import removals, take
    from kxrecon.report.lines import line
    from kxrecon.report.probe import cleared

    steps = removals(take(talk), options.database)
    if not steps:
        write(f"nothing of the probe is in {options.database}.\n")
        return DONE
    show(options, [line("this is taken away:"), *(line(what, indent=2) for what, _ in steps)])
    if not options.yes and not on_terminal():
        raise UsageError("nobody is here to be asked, so say --yes")
    if not options.yes and not confirm("Go on?"):
        write("nothing was done.\n")
        return FAILED
    left = clear(talk, options.database)
    show(options, cleared(left))
    return FAILED if left else DONE


# ---- telling
def _told(options: argparse.Namespace, talk: Conversation, made: Run, began: str) -> int:
    from kxrecon.probe.catalog import UNPROBED
    from kxrecon.probe.run import service
    from kxrecon.probed import Probed
    from kxrecon.report import probe as report

    probed = Probed(
        cluster=options.cluster,
        database=options.database,
        wire=wire_name(options),
        kxrecon=__version__,
        began=began,
        ended=_now(),
        service=service(talk),
        read_only=options.read_only,
        found=tuple(made.found),
        left=made.left,
        stopped=made.stopped,
    )
    texts = {"json": report.as_json(probed, UNPROBED), "md": report.as_markdown(probed, UNPROBED)}
    if options.json or options.markdown:
        write(texts["json" if options.json else "md"])
    else:
        show(options, report.text(probed, verbose=options.verbose))
    if made.left:
        print(f"kxrecon: something was left behind; to take it away: {_clean(options)}", file=sys.stderr)
    _save(options, texts)
    return _exit_code(probed)


def _save(options: argparse.Namespace, texts: Mapping[str, str]) -> None:
    """Both forms, for whoever can use them. FileError if the folder takes none."""
    from kxrecon.files import write_private
    from kxrecon.report.probe import ASK

    for ending, mark in (("json", '"format"'), ("md", "kxrecon probe")):
        path = options.out / f"probe.{ending}"
        write_private(path, texts[ending], mark=mark, what=f"the report {path}")
    if not (options.json or options.markdown):
        write(f"saved as {options.out / 'probe.md'} and probe.json. {ASK}\n")


def _exit_code(probed: Probed) -> int:
    from kxrecon.probe import run

    if probed.stopped == run.INTERRUPTED:
        return INTERRUPTED
    if probed.left or probed.stopped:
        return FAILED
    return PENDING if probed.surprises else DONE


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
