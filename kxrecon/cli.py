"""The command line: arguments → verb → exit code, and the one place where errors become messages.

A verb is a module in ``kxrecon.commands`` with ``arguments(parser)`` and ``run(options) -> int``. Only
the module of the verb that was asked for is imported, and what this module imports is part of the
price of ``--help``: therefore so little, and so late.

Exit codes: 0 nothing to do, or done · 2 changes are pending · 1 failed, usage errors included ·
3 unexpected (a log file with the traceback) · 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from kxrecon import __version__
from kxrecon.commands._exit import FAILED, INTERRUPTED, UNEXPECTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from types import FrameType
    from typing import Any, NoReturn

VERBS: Mapping[str, str] = {
    "validate": "check specs without a network: every problem, each with its place",
    "render": "print the merged spec",
    "plan": "show what would change, in order, and save it",
    "apply": "apply what was planned last, saved plans, or specs",
    "drift": "tell whether the cluster still is what the spec says; writes nothing",
    "history": "who applied which plan, when, with what result: from the spec's ledger",
    "lint": "prove what can be proved of the exports offline, with stable codes",
    "verify": "follow the permission chain of each export, link by link: what is broken, and what mends it",
    "import": "write down what runs on a cluster as a spec; changes nothing",
    "status": "how exports run: last run, lateness, failures; exit 2 if one is late or failing",
    "explain": "one export with everything that it needs, and whether it has it",
    "graph": "draw what exports read, write and run as: a tree, Mermaid, DOT or SVG",
    "rotate": "let an identity or a target take another one's place: write the spec change, show the plan",
    "diff": "show what two environments ask for differently",
    "permissions": "tell which rights plan and apply need, and with --check whether you have them",
    "probe": "ask a cluster, in a scratch database, what no page of Microsoft confirms",
    "schema": "print the JSON Schema of the spec, for editors",
    "sandbox": "an Azure for one team on this machine: serve it, look into it, let its exports run",
}

EPILOG = """\
exit codes: 0 nothing to do or done, 2 changes are pending, 1 failed, 3 unexpected, 130 interrupted
try it without Azure: kxrecon plan SPEC --sandbox && kxrecon apply --sandbox
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line is an error like any other: exit code 1, not 2 (changes pending)."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but names may stand behind options too: ``explain SPEC --sandbox EXPORT``."""
        found, rest = super().parse_known_args(args, namespace)
        many = next((one for one in self._actions if not one.option_strings and one.nargs in ("*", "+")), None)
        if many is None:
            return found, rest
        names = next((at for at, word in enumerate(rest) if word.startswith("-")), len(rest))
        setattr(found, many.dest, [*(getattr(found, many.dest) or ()), *rest[:names]])
        return found, rest[names:]

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        from kxrecon.errors import UsageError

        raise UsageError(f"{message}\n{self.format_usage().strip()}\ntry: {self.prog} --help")


class Help(argparse.RawDescriptionHelpFormatter):
    """argparse's layout with a width of our own: argparse would import shutil, zlib, bz2 and lzma to ask for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_width())


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) - 2
    except ValueError:
        pass
    try:
        return max(os.get_terminal_size().columns, 40) - 2
    except OSError:
        return 98


def parser(chosen: str | None) -> Parser:
    """The whole command line; options of the ``chosen`` verb only, as only its module is imported."""
    root = Parser(
        prog="kxrecon",
        description="One YAML file in, a running Azure Data Explorer continuous export out.",
        epilog=EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"kxrecon {__version__}")
    verbs = root.add_subparsers(dest="verb", metavar="COMMAND", title="commands", required=True)
    for name, purpose in VERBS.items():
        one = verbs.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + ".",
            formatter_class=Help,
            allow_abbrev=False,
        )
        if name == chosen:
            import_module(f"kxrecon.commands.{name}").arguments(one)
    return root


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code. Nothing escapes but what Python itself cannot catch."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as end:  # argparse's --help and --version
        return int(end.code or 0)
    except Exception as error:
        return _told(error, argv)
    finally:
        _let_go()
    return code


def _let_go() -> None:
    """Whatever an output that takes nothing more still holds is dropped: Python would complain of it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        _nobody_reads()
    except ValueError:  # closed
        return


def _run(argv: Sequence[str]) -> int:
    chosen = next((word for word in argv if not word.startswith("-")), None)
    if chosen is not None and chosen not in VERBS:
        from kxrecon.errors import UsageError

        raise UsageError(_no_such_verb(chosen))
    options = parser(chosen).parse_args(argv)
    # A pipeline that is cancelled sends SIGTERM: it shall end as Ctrl-C does, not in mid-sentence.
    before = _on_terminate(_raise_interrupt)
    try:
        return int(import_module(f"kxrecon.commands.{options.verb}").run(options))
    finally:
        _on_terminate(before)


def _no_such_verb(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, VERBS, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"there is no command {word!r}: {hint}(commands: {', '.join(VERBS)})"


def _raise_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _on_terminate(action: signal._HANDLER) -> signal._HANDLER:
    import signal

    try:
        return signal.signal(signal.SIGTERM, action)
    except ValueError:  # not the main thread: whoever embeds us keeps the signal
        return None


def _told(error: Exception, argv: Sequence[str]) -> int:
    """What a person can mend is said in one message; anything else is ours to mend, and goes to a log file."""
    from kxrecon.errors import KxreconError

    told = str(error) if isinstance(error, KxreconError) else _of_a_file(error)
    if told:
        _say(f"kxrecon: {told}")
        return FAILED
    from kxrecon.commands._crash import without_secrets, write_log

    place = write_log(error, argv)
    _say(without_secrets(f"kxrecon: unexpected {type(error).__name__}: {error}", argv))
    _say(f"this is a defect of kxrecon; the details are in {place}")
    return UNEXPECTED


def _of_a_file(error: Exception) -> str:
    """What a file, the disk or the output refused, where nobody nearer to it said so: no defect; empty for all else."""
    from kxrecon.files import REFUSED, why

    if isinstance(error, OSError) and error.errno in REFUSED:
        return f"{error.filename or 'a file, or the output'} cannot be used: {why(error)}"
    if type(error).__module__ == "sqlite3":  # not imported for this: every verb would pay for it
        return f"the sandbox's file cannot be used: {error}"
    return ""


def _interrupted() -> int:
    _say("kxrecon: interrupted")
    return INTERRUPTED


def _nobody_reads() -> int:
    # `kxrecon plan … | head`: Python would complain once more when it flushes stdout at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _say(message: str) -> None:
    from kxrecon.report.safe import visible

    print(visible(message, keep="\n"), file=sys.stderr)
