"""`python -m imghost_api ROLE`: one image, one command for each role. A role imports only what it needs."""

import sys


def main(arguments: list[str]) -> None:
    """Run one role; settings come from the environment."""
    match arguments:
        case ["server"]:
            from imghost_api.main import run
        case ["worker"]:
            from imghost_api.worker import run
        case ["migrate", ("pre" | "post" | "status") as action]:
            from imghost_api.migrate import run as migrate

            migrate(action)
            return
        case ["dead-letters", *rest]:
            from imghost_api.dead_letters import run as run_command

            run_command(rest)
            return
        case _:
            sys.exit("usage: python -m imghost_api server|worker|migrate pre|post|status|dead-letters")
    run()


if __name__ == "__main__":
    main(sys.argv[1:])
