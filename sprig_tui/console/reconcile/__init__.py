"""Reconcile screen: what was delivered against what Segment counted, as a picture and in words."""
