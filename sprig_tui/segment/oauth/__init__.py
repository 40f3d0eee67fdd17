"""OAuth 2.0 of Segment's Tracking API: credentials, signed assertions, and access tokens."""
