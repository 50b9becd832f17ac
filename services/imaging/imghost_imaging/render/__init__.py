"""All work on pixels, and the only package that imports pyvips."""
