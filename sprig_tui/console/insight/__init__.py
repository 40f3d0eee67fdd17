"""Insight screen: what the journal holds as bars and plots."""
