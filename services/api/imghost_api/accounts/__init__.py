"""User accounts: registration, sign-in, profile. This level has what the three share."""
