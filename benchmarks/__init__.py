"""How fast pix2pix_ms is beside its peers, measured on one machine in one run (`make bench`)."""
