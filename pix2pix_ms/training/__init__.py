"""The run of any model: settings and data in, a run folder out."""

from typing import Any

__all__ = ["train"]


def __getattr__(name: str) -> Any:
    if name != "train":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pix2pix_ms.training.epochs import train

    return train
