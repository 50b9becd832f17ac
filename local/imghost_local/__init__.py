"""The local platform: it runs the objects that `build` makes as processes, loopback ports and files on this machine."""
