"""Pulls of answers from Sprig's REST API into the journal, page by page, with checkpoints."""
