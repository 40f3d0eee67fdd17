"""When and how often deliveries go out: a lane per environment, its batches, retries and pacing."""
