"""What a run is: settings, presets and the models there are; nothing here needs MindSpore."""

from pix2pix_ms.config.pix2pix import Config

__all__ = ["Config"]
