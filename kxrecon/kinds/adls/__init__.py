"""Kinds on the Data Lake (dfs) wire."""
