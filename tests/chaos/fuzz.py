"""What the fuzzers share: one mutant judged in bounded time, many of them counted, and the long form of a command line.

Every mutant has a number; ``--first N --count 1`` makes that one again.
"""

from __future__ import annotations

import argparse
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

Batch = tuple[Counter[str], list[tuple[int, str]], float]
"""How many of each verdict, the accidents with their numbers, the longest time."""

SECONDS = 5


class TooLate(BaseException):
    """Nothing that the code under test would swallow."""


def bounded(act: Callable[[], str], seconds: float = SECONDS, frames: int = 6) -> str:
    """The result of ``act``, or what became of it: ``hang`` or the traceback. Seconds are those of the processor,
    so that a busy machine is no hang; who only waits has ten times as long."""

    def late(*_: Any) -> None:
        raise TooLate

    clocks = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds))
    before = [(which, signal.signal(which, late)) for which, _, _ in clocks]
    for _, clock, limit in clocks:
        signal.setitimer(clock, limit)
    try:
        return act()
    except TooLate:
        return "hang: " + "".join(traceback.format_exc(limit=-frames))
    except BaseException:
        return "accident: " + "".join(traceback.format_exc(limit=-frames))
    finally:
        for _, clock, _ in clocks:
            signal.setitimer(clock, 0)
        for which, known in before:
            signal.signal(which, known)


def counted(numbers: range, judge: Callable[[int], str], *, right: Callable[[str], bool]) -> Batch:
    """Judge the mutants with these numbers; what is not ``right`` is an accident."""
    counts: Counter[str] = Counter()
    accidents = []
    slowest = 0.0
    for number in numbers:
        began = time.process_time()
        verdict = judge(number)
        slowest = max(slowest, time.process_time() - began)
        counts[verdict.partition(":")[0]] += 1
        if not right(verdict):
            accidents.append((number, verdict))
    return counts, accidents, slowest


def long_form(argv: list[str], what: str, batch: Callable[[range], Batch], *, count: int, at_once: int) -> int:
    """Judge ``count`` mutants on several processes; 1 if any was an accident or a hang."""
    parser = argparse.ArgumentParser(description=f"Judge mutated {what}.")
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    began = time.perf_counter()
    end = options.first + options.count
    batches = [range(at, min(at + at_once, end)) for at in range(options.first, end, at_once)]
    with ProcessPoolExecutor(options.workers) as pool:
        return _report(what, pool.map(batch, batches), options.count, began)


def _report(what: str, batches: Iterable[Batch], count: int, began: float) -> int:
    """Print what went wrong, each accident at most twice, and the counts; 1 if anything did."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    seen: Counter[str] = Counter()
    for counted, accidents, longest in batches:
        counts += counted
        slowest = max(slowest, longest)
        for number, verdict in accidents:
            last = verdict.strip().splitlines()[-1].partition("[")[0]
            seen[last] += 1
            if seen[last] <= 2:
                print(f"mutant {number}: {verdict}", flush=True)
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{count} mutated {what} in {time.perf_counter() - began:.0f} s: {told}; slowest {slowest:.2f} s")
    return 1 if seen else 0
