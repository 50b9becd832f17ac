"""What a tenant needs outside the cluster: a database and a prefix in an object store."""
