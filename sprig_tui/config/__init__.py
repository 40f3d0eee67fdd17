"""Config: settings and environments in TOML, secrets, paths and reloading."""
