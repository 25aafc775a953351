"""The hazards by name: what ``--allow`` and ``allow:`` may lift."""

from __future__ import annotations

# locks-out is none of them: no permission lifts it.
HAZARDS = (
    *("loses-cursor", "repoints-export", "may-reset-cursor", "restarts-export", "breaks-export", "unreadable-field"),
    *("drops-property", "rewords-note", "removes-access", "drops-data", "recreates-external-table"),
)
# What may lose an export's place has to be allowed by the export's name, never for all at once.
NAMED = frozenset({"loses-cursor", "repoints-export"})
