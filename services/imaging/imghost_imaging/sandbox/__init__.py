"""Runs work on untrusted bytes in a child process that is used once and can reach nothing. Knows nothing of images."""
