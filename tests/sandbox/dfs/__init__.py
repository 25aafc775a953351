"""Tests of the sandbox's dfs part."""
