"""The questions that kinds ask of Kusto, in one place: equal questions of two kinds must be equal texts.

Columns and rights of each: learn.microsoft.com, "Management commands overview" and the page of the command.
"""

from __future__ import annotations

from kxrecon.kql import identifier
from kxrecon.model import Read


def schema_json(database: str) -> Read:
    """Tables of all sorts with their columns; one row, one column ``DatabaseSchema`` of JSON text."""
    wanted = "(Tables=true, ExternalTables=true, MaterializedViews=true)"
    return Read("kusto", database, f".show database {identifier(database)} schema as json with {wanted}")


def csl_script(database: str) -> Read:
    """The database as commands, one a row, column ``DatabaseSchemaScript``; secrets stay masked."""
    text = f".show database {identifier(database)} schema as csl script with (IncludeSecuritySettings=false)"
    return Read("kusto", database, text)


def external_tables(database: str) -> Read:
    """External tables with connection strings and partitions, without their columns."""
    return Read("kusto", database, ".show external tables")


def continuous_exports(database: str) -> Read:
    """Continuous exports with definition and running state."""
    return Read("kusto", database, ".show continuous-exports")


def export_failures(database: str, export: str) -> Read:
    """The failures of one export in the last two weeks."""
    return Read("kusto", database, f".show continuous-export {identifier(export)} failures")


def newest_artifact(database: str, export: str) -> Read:
    """The file that an export wrote last, of those of the last two weeks: Timestamp, ExternalTableName, Path …"""
    text = f".show continuous-export {identifier(export)} exported-artifacts | top 1 by Timestamp desc"
    return Read("kusto", database, text)


def functions(database: str) -> Read:
    """Stored functions: Name, Parameters, Body, Folder, DocString."""
    return Read("kusto", database, ".show functions")


def principals(database: str) -> Read:
    """Principals of a database with their roles; inherited cluster roles are listed too."""
    return Read("kusto", database, f".show database {identifier(database)} principals")


def own_roles(database: str) -> Read:
    """The roles of whoever asks, on a database and by way of the cluster: Scope, DisplayName, AADObjectID, Role."""
    return Read("kusto", database, f".show database {identifier(database)} principal roles")


def database_policy(database: str) -> Read:
    """The managed_identity policy set on the database itself."""
    return Read("kusto", database, f".show database {identifier(database)} policy managed_identity")


def cluster_policy() -> Read:
    """The managed_identity policy set on the cluster."""
    return Read("kusto", "", ".show cluster policy managed_identity")


def table_policy(database: str, policy: str) -> Read:
    """A policy of every table of a database, ``null`` where none is set on the table itself."""
    return Read("kusto", database, f".show table * policy {policy}")
