"""`Idempotency-Key`: the same request sent again gets the first one's answer and has no second effect."""
