"""Errors that the user can correct: one line for the terminal, and an exit code for scripts."""


class UserError(Exception):
    """The command failed; the text says what happened, why, and what to do."""

    exit_code = 1


class InvalidInput(UserError):
    """Invalid input: a wrong option or a manifest that breaks a rule."""

    exit_code = 2
