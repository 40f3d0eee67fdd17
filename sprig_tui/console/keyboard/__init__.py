"""Keyboard queue: one event at a time, in the order typed."""
