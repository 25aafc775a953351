"""Write an estate's spec and its answers: ``python -m tests.benchmarks.record ENTITIES FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.estate import Estate


class _Generated:
    """A plane that makes its answers up and writes them down."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.written: list[dict[str, Any]] = []

    def read(self, read: Any) -> Any:
        from kxrecon.model import Failure, Table

        answer = self.estate.answer(read)
        plain: Any = answer
        if isinstance(answer, Table):
            plain = {"columns": answer.columns, "rows": answer.rows}
        elif isinstance(answer, Failure):
            plain = {"failure": [answer.reason, answer.message, answer.code]}
        self.written.append({**read.__dict__} if hasattr(read, "__dict__") else _record(read))
        self.written[-1]["answer"] = plain
        return answer


def _record(read: Any) -> dict[str, Any]:
    return {"plane": read.plane, "target": read.target, "text": read.text, "arguments": read.arguments}


def record(entities: int, folder: Path) -> tuple[Path, Path, Path]:
    """Write ``spec-N.yaml``, the same with 1 % changed, and ``answers-N.json``; returns their paths."""
    from kxrecon.observe import observe
    from kxrecon.spec import load
    from kxrecon.surroundings import surroundings

    estate = Estate(entities // 4)
    folder.mkdir(parents=True, exist_ok=True)
    plain, changed = folder / f"spec-{entities}.yaml", folder / f"changed-{entities}.yaml"
    plain.write_text("name: spec\n" + estate.spec())
    changed.write_text("name: spec\n" + estate.spec(changed=0.04))  # 1 % of entities: 4 % of exports
    loaded = load([str(plain)])
    plane = _Generated(estate)
    planes: Any = {"kusto": plane, "arm": plane, "adls": plane, "sql": plane}
    observe(surroundings(loaded.desired, loaded.scope), planes)
    answers = folder / f"answers-{entities}.json"
    answers.write_text(json.dumps(plane.written))
    return plain, changed, answers


if __name__ == "__main__":
    record(int(sys.argv[1]), Path(sys.argv[2]))
