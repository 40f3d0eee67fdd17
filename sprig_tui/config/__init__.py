"""Settings and environments in TOML, and where everything lives."""
