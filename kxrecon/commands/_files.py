"""Where kxrecon keeps its files: in one private folder below the working directory."""

from __future__ import annotations

from pathlib import Path

STATE = Path(".kxrecon")
PLAN = STATE / "plan.json"
APPLIED = STATE / "applied"
JOURNAL = STATE / "journal.jsonl"
LEDGER = STATE / "ledger.jsonl"
SANDBOX = STATE / "sandbox.db"
