"""`python -m pix2pix_ms` is the command `pix2pix-ms`."""

from pix2pix_ms.cli.commands import main

main()
