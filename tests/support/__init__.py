"""What tests of several folders and the scripts run by hand share; `tests` is on pytest's path, see pyproject.toml."""
