"""Deliveries pane: the live log of the journal, its filter, replays, withdrawals and exports."""
