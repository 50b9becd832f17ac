"""What both web processes share: request ids, problem documents, health and the two listeners."""
