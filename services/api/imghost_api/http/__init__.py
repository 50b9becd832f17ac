"""The HTTP edge: OpenAPI document, problem documents, JSON bodies, shared field types."""
