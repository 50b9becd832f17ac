"""Why the metadata of a file cannot be removed."""


class Unreadable(Exception):
    """The structure of the file does not show where its metadata is; the text says what is wrong with it."""
