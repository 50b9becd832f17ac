"""What two deployables of imghost must agree on, and nothing else."""

__version__ = "0.1.0"
