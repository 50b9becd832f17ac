"""Registration of a new account."""
