"""Who is calling: registration, sign-in, tokens, and the check every credential goes through."""
