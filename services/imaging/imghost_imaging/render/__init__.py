"""Everything that touches pixels, and the only place that imports pyvips."""
