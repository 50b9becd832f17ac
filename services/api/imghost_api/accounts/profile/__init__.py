"""The signed-in user's account."""
