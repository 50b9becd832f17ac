"""What a tenant needs outside the cluster: a database and a place in an object store."""
