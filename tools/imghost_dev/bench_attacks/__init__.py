"""What a normal client notices while somebody attacks the listeners of a tenant on this machine."""
