"""A test under each value of a switch: ``@under("policy_column")``, with the value in ``switched``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from kxrecon.sandbox import switches


def choices(name: str) -> list[Any]:
    """The values of a switch, its default first."""
    default = next(one.default for one in fields(switches.Switches) if one.name == name)
    found = list(get_args(get_type_hints(switches.Switches)[name])) or [True, False]
    return sorted(found, key=lambda value: value != default)


def under(name: str) -> Any:
    """Parametrise a test over a switch; its ids say which value it has."""
    listed = [pytest.param((name, value), id=f"{name}={value}") for value in choices(name)]
    return pytest.mark.parametrize("switched", listed, indirect=True)


def turn(store: Any, name: str, value: Any) -> None:
    """Give a switch of a sandbox a value."""
    switches.save(store, replace(switches.load(store), **{name: value}))
