"""Where the process starts: answers ``--version`` before anything is imported, hands over the rest."""

from __future__ import annotations

import sys

from kxrecon import __version__


def main() -> int:
    """Run the command line of this process; returns the exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"kxrecon {__version__}\n")
        return 0
    import gc

    from kxrecon.cli import main as run

    # A command is short and makes few cycles: they are looked for seldom, or it costs a tenth of its time.
    gc.set_threshold(50_000, 20, 20)
    code = run(sys.argv[1:])
    gc.freeze()  # nor at the end, when everything goes anyway
    return code


if __name__ == "__main__":
    sys.exit(main())
