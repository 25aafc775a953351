"""Databases as a cluster lists them."""

from __future__ import annotations

from kxrecon.model import Failure, Table
from kxrecon.observe import database_names


def test_each_is_named_once_and_system_ones_are_not():
    rows = [["Telemetry"], ["$systemdb"], ["Sales"], ["Telemetry"]]
    assert database_names(Table(("DatabaseName",), rows)) == ["Telemetry", "Sales"]


def test_what_is_no_list_names_none():
    assert database_names(Table(("Name",), [["Telemetry"]])) is None
    assert database_names(Failure("denied", "no")) is None
