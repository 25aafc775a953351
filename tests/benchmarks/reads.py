"""How many requests a no-op plan sends, in how many rounds, and how long reading takes against what latency allows.

``python -m tests.benchmarks.reads SPEC ANSWERS`` is the measured process.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from typing import Any

LATENCY = 0.05
WORKERS = 8


def phase(spec: str, answers: str) -> dict[str, float]:
    """Requests to the cluster, the most to one database, to ARM; rounds; and the wall time from the first request to
    the last answer, as a multiple of ceil(requests / workers) x latency."""
    from kxrecon import observe
    from kxrecon.spec import load
    from kxrecon.surroundings import surroundings
    from tests.benchmarks.cases import Recorded

    recorded = Recorded(answers)
    asked: Counter[tuple[str, str]] = Counter()
    times: list[float] = []
    rounds: list[int] = []
    named: set[Any] = set()

    class Waiting:
        def read(self, read: Any) -> Any:
            times.append(time.perf_counter())
            asked[read.plane, read.target] += 1
            answer = recorded.read(read)
            time.sleep(LATENCY)
            times.append(time.perf_counter())
            return answer

    wanted = observe._wanted

    def counted(names: Any, scope: Any, known: Any) -> list[Any]:
        found = wanted(names, scope, known)
        rounds.append(len(set(found) - named))
        named.update(found)
        return found

    observe._wanted = counted
    loaded = load([spec])
    scope = surroundings(loaded.desired, loaded.scope)
    observe.observe(scope, dict.fromkeys(("kusto", "arm", "adls", "sql"), Waiting()), workers=WORKERS)  # type: ignore[arg-type]
    requests = sum(asked.values())
    limit = math.ceil(requests / WORKERS) * LATENCY
    kusto = {target: number for (plane, target), number in asked.items() if plane == "kusto"}
    return {
        "requests": requests,
        "cluster": kusto.get("", 0),
        "database": max(number for target, number in kusto.items() if target),
        "arm": sum(number for (plane, _), number in asked.items() if plane == "arm"),
        "rounds": sum(one > 0 for one in rounds),
        "ratio": (max(times) - min(times)) / limit,
    }


if __name__ == "__main__":
    print(json.dumps(phase(*sys.argv[1:3])))
