"""The page behind the `type` of a problem document: what the problem means and what to do."""
