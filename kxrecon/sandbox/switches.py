"""What nobody knows for sure about the services, as switches: kxrecon is tested under both settings.

Kept in the store, so every process that opens the same sandbox file sees the same world.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from kxrecon.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Switches:
    """One field per unconfirmed fact; the default is what we think likelier."""

    cursor_on_alter: Literal["kept", "reset"] = "kept"
    omitted_properties: Literal["reset", "kept"] = "reset"
    export_identity_shown: Literal["properties", "script"] = "script"
    query_shown: Literal["as-written", "respaced"] = "as-written"  # the text of a continuous export
    impersonate_shown: Literal["masked", "visible"] = "masked"
    repeated_role_assignment: Literal["conflict", "ok"] = "conflict"
    policy_column: Literal["Policy", "Policies"] = "Policy"
    enable_when_enabled: Literal["ok", "error"] = "ok"
    system_in_policy: Literal["object-id", "system"] = "object-id"
    missing_export: Literal["error", "empty"] = "error"
    csl_script_lists_exports: bool = True
    missing_target: Literal["refused", "accepted"] = "refused"  # create-or-alter of an export without its table
    export_identity_checked: Literal["at-create", "at-run"] = "at-create"
    missing_database: Literal["400", "404"] = "400"
    bool_wire: Literal["boolean", "number"] = "boolean"
    dynamic_wire: Literal["json", "text"] = "json"
    export_seconds: float = 0.0  # how long `.export async` is in progress
    strict: bool = False  # an inventory was given: nothing else exists


def load(store: Store) -> Switches:
    """The switches of a sandbox; defaults where nothing was set."""
    document = store.get("meta", "switches") or {}
    known = {field.name for field in fields(Switches)}
    return Switches(**{name: value for name, value in document.items() if name in known})


def save(store: Store, switches: Switches) -> None:
    """Remember the switches in the sandbox file."""
    store.put("meta", ("switches",), asdict(switches))


def turned(switches: Switches, **settings: Any) -> Switches:
    """The switches, some of them turned. Raises TypeError for one that does not exist, ValueError for a value that it
    does not have."""
    kinds = get_type_hints(Switches)
    changed = replace(switches, **settings)
    for name, value in settings.items():
        known = (True, False) if kinds[name] is bool else get_args(kinds[name])
        if kinds[name] is float:
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name}={value!r}: a number of seconds is wanted")
        elif value not in known or type(value) is not type(known[0]):
            raise ValueError(f"{name}={value!r}: known are {', '.join(map(repr, known))}")
    return changed
