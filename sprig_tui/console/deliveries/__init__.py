"""The Deliveries pane: a live log over the journal, its filter, replays and exports."""
