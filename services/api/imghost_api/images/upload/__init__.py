"""Upload of an image."""
