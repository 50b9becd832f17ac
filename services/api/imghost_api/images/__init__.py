"""Uploading, listing and deleting pictures, within the plan's limits."""
