"""The errors a user is meant to read."""


class Pix2PixError(Exception):
    """What was expected, what was found, where, and what to do, in one line."""


class DamagedError(Pix2PixError):
    """A file is not what was written."""


class DownloadError(Pix2PixError):
    """A data set could not be fetched, trusted or unpacked."""
