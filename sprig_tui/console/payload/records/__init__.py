"""The list of an open file's records: one line each, with what would become of it and why."""
