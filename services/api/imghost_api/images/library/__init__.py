"""The images of a workspace: listed and deleted."""
