"""Files that appear when they are whole: whatever interrupts, there is the old one or the new."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written takes the place of `path` once it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".writing-{path.name}")
    writing.unlink(missing_ok=True)
    writing.touch()
    allowed = writing.stat().st_mode  # as the user's umask has it
    try:
        yield writing
    except BaseException:
        writing.unlink(missing_ok=True)
        raise
    writing.chmod(allowed)  # MindSpore and safetensors leave files only their owner may read
    with writing.open("rb") as file:
        os.fsync(file.fileno())
    writing.replace(path)


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with appearing_whole(path) as writing:
        writing.write_text(text)
