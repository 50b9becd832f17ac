"""The repository's own tools: container images, a real cluster, pinned requirements, generated files, measurements."""
