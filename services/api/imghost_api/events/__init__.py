"""Events: published in the caller's transaction, delivered to every subscriber, in order per subject."""
