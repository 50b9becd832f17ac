"""A real Kubernetes cluster for one checkout, from several providers, and imghost in it."""
