"""What computes: process, device, randomness, signals, files, ranks, precision."""
