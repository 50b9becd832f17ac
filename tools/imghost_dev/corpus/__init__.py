"""Renders the image files that public packages ship for their tests, and compares the results with another decoder."""
