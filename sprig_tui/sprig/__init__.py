"""Sprig's side of the river: its records, and reading them from every format it produces."""
