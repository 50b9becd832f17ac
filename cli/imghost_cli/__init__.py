"""The `imghost` command line and the platform that runs a tenant on one machine."""
