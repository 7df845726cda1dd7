"""The relatives of pix2pix, a folder each: networks, objective, training step."""
