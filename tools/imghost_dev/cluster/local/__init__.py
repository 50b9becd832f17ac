"""A node of our own: its programs in namespaces of this machine, without a container registry."""
