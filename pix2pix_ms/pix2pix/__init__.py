"""The paper (Isola et al. 2017): networks, objective, step, translation, measures."""

from typing import Any

__all__ = ["Pix2Pix"]


def __getattr__(name: str) -> Any:
    if name != "Pix2Pix":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pix2pix_ms.pix2pix.step import Pix2Pix

    return Pix2Pix
