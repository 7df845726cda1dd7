"""GANs that make images from noise: GAN, DCGAN, LSGAN, WGAN."""
