"""StarGAN v2: one generator for several kinds of image (Choi et al. 2020)."""
