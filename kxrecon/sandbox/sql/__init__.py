"""SQL Server in the sandbox: a DB-API connection that understands the T-SQL of users and grants.

There is no server that speaks TDS: no library plays one, so what a driver does on the wire is not
imitated. The seam is the DB-API, which mssql-python fills on Azure and ``connection.connect`` fills here.
Statements are read with sqlglot; the catalog views are real tables of an in-memory SQLite for each query.
"""
