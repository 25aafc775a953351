"""Kinds inside SQL databases."""
