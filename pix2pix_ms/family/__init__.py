"""The relatives of pix2pix, one file each: networks, objective, training step."""
