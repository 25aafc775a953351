"""The command line: arguments → verb → exit code, and the one place where errors become messages.

A verb is a module in ``kxrecon.commands`` with ``arguments(parser)`` and ``run(options) -> int``. Only
the module of the verb that was asked for is imported, so ``--help`` stays as fast as argparse.

Exit codes: 0 nothing to do, or done · 2 changes are pending · 1 failed, usage errors included ·
3 unexpected (a log file with the traceback) · 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from kxrecon import __version__
from kxrecon.commands._exit import FAILED, INTERRUPTED, UNEXPECTED
from kxrecon.errors import KxreconError, UsageError

VERBS: Mapping[str, str] = {
    "validate": "check specs without a network: every problem, each with its place",
    "render": "print the merged spec",
    "plan": "show what would change, in order, and save it",
    "apply": "apply the plan last saved, a plan file, or a spec",
    "drift": "tell whether the cluster still is what the spec says; writes nothing",
    "schema": "print the JSON Schema of the spec, for editors",
    "sandbox": "an Azure for one team on this machine: serve it, look into it, let its exports run",
}

EPILOG = """\
exit codes: 0 nothing to do or done, 2 changes are pending, 1 failed, 3 unexpected, 130 interrupted
try it without Azure: kxrecon plan SPEC --sandbox && kxrecon apply --sandbox
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line is an error like any other: exit code 1, not 2 (changes pending)."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        raise UsageError(f"{message}\n{self.format_usage().strip()}\ntry: {self.prog} --help")


def parser(chosen: str | None) -> Parser:
    """The whole command line; options of the ``chosen`` verb only, as only its module is imported."""
    root = Parser(
        prog="kxrecon",
        description="One YAML file in, a running Azure Data Explorer continuous export out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"kxrecon {__version__}")
    verbs = root.add_subparsers(dest="verb", metavar="COMMAND", title="commands", required=True)
    for name, purpose in VERBS.items():
        sentence = purpose[0].upper() + purpose[1:] + "."
        one = verbs.add_parser(name, help=purpose, description=sentence, allow_abbrev=False)
        if name == chosen:
            import_module(f"kxrecon.commands.{name}").arguments(one)
    return root


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code. Nothing escapes but what Python itself cannot catch."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KxreconError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as end:  # argparse's --help and --version
        return int(end.code or 0)
    except Exception as error:
        return _unexpected(error, argv)
    return code


def _run(argv: Sequence[str]) -> int:
    chosen = next((word for word in argv if not word.startswith("-")), None)
    if chosen is not None and chosen not in VERBS:
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
    try:
        return signal.signal(signal.SIGTERM, action)
    except ValueError:  # not the main thread: whoever embeds us keeps the signal
        return None


def _failed(message: str) -> int:
    _say(f"kxrecon: {message}")
    return FAILED


def _interrupted() -> int:
    _say("kxrecon: interrupted")
    return INTERRUPTED


def _nobody_reads() -> int:
    # `kxrecon plan … | head`: Python would complain once more when it flushes stdout at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _unexpected(error: Exception, argv: Sequence[str]) -> int:
    from kxrecon.commands._crash import write_log

    place = write_log(error, argv)
    _say(f"kxrecon: unexpected {type(error).__name__}: {error}")
    _say(f"this is a defect of kxrecon; the details are in {place}")
    return UNEXPECTED


def _say(message: str) -> None:
    from kxrecon.report.safe import visible

    print(visible(message, keep="\n"), file=sys.stderr)
