"""The two networks of pix2pix, and how their weights start."""
