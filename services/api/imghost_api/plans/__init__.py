"""Limits of plans: quota and rate limits. Takes a workspace and its limits, knows no route."""
