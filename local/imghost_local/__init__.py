"""The local platform: what `build` makes becomes processes, loopback ports and files on this machine."""
