"""Webhook receiver: Sprig's webhooks over HTTP into the journal."""
