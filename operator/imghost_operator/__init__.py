"""The operator: turns an `ImageHostTenant` into everything that serves it."""
