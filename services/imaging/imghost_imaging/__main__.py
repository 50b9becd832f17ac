"""`python -m imghost_imaging`: serve the images of one tenant."""

from imghost_imaging.main import run

run()
