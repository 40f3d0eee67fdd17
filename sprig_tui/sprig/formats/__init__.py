"""Sprig's input formats, one module each, and their detection."""
