"""The command `pix2pix-ms`."""

from pix2pix_ms.cli.commands import command, main

__all__ = ["command", "main"]
