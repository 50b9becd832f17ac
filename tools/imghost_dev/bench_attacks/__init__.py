"""What a normal client notices while another attacks the listeners of a tenant on this machine."""
