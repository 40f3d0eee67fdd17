"""Sprig's records, and their reading from every format that Sprig produces."""
