"""`python -m imghost_operator`: run the operator against a cluster."""

from imghost_operator.main import run

run()
