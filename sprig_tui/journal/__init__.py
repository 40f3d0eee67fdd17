"""The durable record of every delivery and attempt: one contract, more than one store behind it."""
