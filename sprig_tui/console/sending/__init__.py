"""Sending from the console."""
