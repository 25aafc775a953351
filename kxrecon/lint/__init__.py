"""What can be proved of a spec before anything is applied: rules with stable codes, one section each in docs/lint.md.

``check`` runs the pack; ``kql`` (the extra) adds Microsoft's language service, which knows every query.
"""

from __future__ import annotations

from kxrecon.lint import cursor, limits, names, results, targets  # noqa: F401  their rules register themselves
from kxrecon.lint.pack import Checked, Silence, check, rules

__all__ = ["Checked", "Silence", "check", "rules"]
