"""Passwords and access tokens: no database, no HTTP."""
