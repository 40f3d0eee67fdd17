"""Explanation of one delivery: from its record to each destination, line by line, with evidence."""
