"""API keys: created, listed and revoked by a signed-in user."""
