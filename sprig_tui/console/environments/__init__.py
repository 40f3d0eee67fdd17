"""Environments pane: Write Keys, endpoints and lane status of the environments."""
