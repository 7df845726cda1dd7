"""CycleGAN: two kinds of image, unpaired (Zhu et al. 2017)."""
