"""The one kind of error a user is meant to read."""


class Pix2PixError(Exception):
    """What was expected, what was found, where, and what to do, in one line."""
