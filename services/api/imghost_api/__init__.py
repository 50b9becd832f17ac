"""The api service: accounts, keys, uploads, library."""
