"""API keys: made, listed, revoked, and counted against their hourly limits."""
