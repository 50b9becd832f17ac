"""Listing and deleting images."""
