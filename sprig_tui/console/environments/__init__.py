"""The Environments pane: where answers go, with which key, and how it stands."""
