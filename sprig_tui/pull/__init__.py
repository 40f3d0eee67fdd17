"""From Sprig's REST API into the journal: which answers are new, page by page, and where a pull goes on."""
