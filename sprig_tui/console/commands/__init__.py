"""Commands of the console: one class a verb, with its key, help and permissions."""
