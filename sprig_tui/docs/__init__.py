"""Help topics: one Markdown file each, read by `sprig-tui help` and by the console."""
