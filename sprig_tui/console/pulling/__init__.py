"""Pulling answers from Sprig's REST API for the selected environment."""
