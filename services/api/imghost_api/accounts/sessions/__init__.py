"""Sign-in, and the public keys that access tokens verify with."""
