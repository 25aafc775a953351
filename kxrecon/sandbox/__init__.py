"""The sandbox: an Azure for one team on loopback, over one SQLite file.

It speaks the wires (Kusto, ARM, Data Lake; SQL as a DB-API connection) and shares no code with kinds
or planes, or it would repeat their mistakes. What it imitates and what not: docs/sandbox.md.
"""
