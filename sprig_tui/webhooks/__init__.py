"""Takes in Sprig's webhooks: HTTP on one side, the journal on the other."""
