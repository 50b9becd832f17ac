"""The operator: creates and maintains everything that an `ImageHostTenant` describes."""
