"""Opens a connection to SQL Server with a token: mssql-python, the extra ``kxrecon[sql]``.

A seam of one function: (server, database) → DB-API connection. The sandbox fills it with its own.
learn.microsoft.com, "Python driver for SQL Server - mssql-python".
"""

from __future__ import annotations

import struct
from typing import Any

from kxrecon.errors import PlaneError
from kxrecon.planes.hosts import Cloud, trusted_server

ACCESS_TOKEN = 1256
"""``SQL_COPT_SS_ACCESS_TOKEN``: the connection attribute that takes a token instead of a password."""

LOGIN_SECONDS = 30

_MISSING = "SQL targets need the SQL Server driver: pip install 'kxrecon[sql]'"
_LIBRARY = "The driver needs the system library libltdl: apt-get install libltdl7 (Debian, Ubuntu)"
_LOAD_MARKS = ("libltdl", "failed to load the driver", "cannot open shared object", "unable to load")


def open_connection(server: str, database: str, cloud: Cloud, credential: Any) -> Any:
    """An autocommitting connection to a database, encrypted, signed in with a token. Raises PlaneError."""
    trusted_server(server, cloud)
    for part in (server, database):
        if any(mark in part for mark in ";{}="):
            raise PlaneError(f"not the name of a server or database: {part!r}", code="InvalidName")
    driver = _driver()
    token = credential.get_token(cloud.sql_scope).token
    text = f"Server={server};Database={database};Encrypt=yes;TrustServerCertificate=no;"
    try:
        return driver.connect(
            text, autocommit=True, attrs_before={ACCESS_TOKEN: token_struct(token)}, timeout=LOGIN_SECONDS
        )
    except Exception as error:  # the driver raises its own tree, and bare RuntimeError when its library is missing
        if _is_load_failure(error):
            raise PlaneError(f"{error}. {_LIBRARY}", code="DriverMissing") from error
        raise


def token_struct(token: str) -> bytes:
    """A token as ODBC takes it: its length in bytes, then UTF-16LE; the same in every cloud."""
    encoded = token.encode("utf-16-le")
    return struct.pack(f"<I{len(encoded)}s", len(encoded), encoded)


def _driver() -> Any:
    try:
        import mssql_python
    except ModuleNotFoundError as error:
        raise PlaneError(_MISSING, code="DriverMissing") from error
    except (ImportError, OSError, RuntimeError) as error:
        raise PlaneError(f"the SQL Server driver cannot start: {error}. {_LIBRARY}", code="DriverMissing") from error
    return mssql_python


def _is_load_failure(error: Exception) -> bool:
    text = str(error).lower()
    return any(mark in text for mark in _LOAD_MARKS)
