"""Commands of the command line: one module a verb, imported when it is run."""
