"""From a seed, a folder or an archive to the batches a training loop reads."""
