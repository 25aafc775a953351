"""Kinds on Azure Resource Manager."""
