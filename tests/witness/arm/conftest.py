"""The witness's section in the test report: how much was judged, and what was excused."""

from __future__ import annotations

from .recorder import EXCUSED, JUDGED


def pytest_terminal_summary(terminalreporter):
    """Counts of this process (with xdist each worker has its own)."""
    if not JUDGED:
        return
    terminalreporter.section("witness: ARM's contract")
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(JUDGED.items()))
    terminalreporter.write_line(f"{sum(JUDGED.values())} exchanges judged ({kinds})")
    for reason, number in sorted(EXCUSED.items()):
        terminalreporter.write_line(f"{number} excused: {reason}")
