"""A folder that answers are dropped into: what is complete in it, when to look, and what was read before."""
