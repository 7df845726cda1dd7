"""The paper's networks, CycleGAN's ResNet, and the layers they are built of."""
