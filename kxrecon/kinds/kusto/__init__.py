"""Kinds on the Kusto management wire."""
