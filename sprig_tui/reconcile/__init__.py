"""Reconciliation: what was delivered, by our journal, against what Segment counted."""
