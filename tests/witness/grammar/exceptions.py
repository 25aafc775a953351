"""Where what kxrecon sends, or is answered, may differ from Microsoft's grammar, and why. Nothing else may."""

from __future__ import annotations

# A command that the grammar does not know: pattern → why we send it all the same.
TEXTS: dict[str, str] = {
    r"^\.alter table .* policy ingestiontime false$": "documented as true|false; the grammar knows only true",
}

# An answer with other columns than the grammar declares: pattern over "command -> names of its columns" → why.
COLUMNS: dict[str, str] = {
    r"policy managed_identity -> EntityName, Policies$": "documented so; seen, and declared, like any other policy: a"
    " switch plays both",
}
