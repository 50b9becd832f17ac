"""`python -m imghost_cli`."""

from imghost_cli.main import main

main()
