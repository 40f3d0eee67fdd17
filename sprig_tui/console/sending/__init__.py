"""Sending from the Payload pane: one record, or every record of a file, counted and confirmed first."""
