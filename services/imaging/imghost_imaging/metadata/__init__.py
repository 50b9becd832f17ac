"""Removes metadata from files without decoding them: what is not known to be needed for the pixels is not copied."""
