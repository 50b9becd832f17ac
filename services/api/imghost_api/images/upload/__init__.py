"""Uploading an image."""
