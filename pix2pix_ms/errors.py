"""The errors a user is meant to read."""


class Pix2PixError(Exception):
    """What was expected, what was found, where, and what to do, in one line."""


class DamagedError(Pix2PixError):
    """A file is not what was written."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; MindSpore's go on for pages."""
    return (str(error).strip().splitlines() or [""])[0]


class DownloadError(Pix2PixError):
    """A data set could not be fetched, trusted or unpacked."""
