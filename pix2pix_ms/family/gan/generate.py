"""Image files from noise, by a trained GAN, DCGAN, LSGAN or WGAN."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pix2pix_ms.config.family import GANConfig
from pix2pix_ms.data.images import shown, to_image, to_pixels
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.gan.task import model_of
from pix2pix_ms.machine.files import appearing_whole, check_new
from pix2pix_ms.training import checkpoints


def generate(
    checkpoint: Path,
    out: Path,
    count: int,
    label: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[Path]:
    """Write `count` generated images to PNG files in `out`, and return the files.

    Args:
        checkpoint: as `checkpoints.file_of` takes it.
        label: for a conditional generator, the number of the class; unless given, all in turn.
        seed: draws the noise.
        force: replace existing files.

    Raises:
        Pix2PixError: if the checkpoint is unreadable or of another model, or has no such label.
    """
    path = checkpoints.file_of(checkpoint)
    found, config, _ = checkpoints.load(path)
    if not isinstance(config, GANConfig):
        raise Pix2PixError(
            f"{path}: expected a generator from noise, as gan, dcgan, lsgan and wgan train, found "
            f"{config.model}; pix2pix-ms translate takes it"
        )
    if label is not None and not config.conditional:
        raise Pix2PixError(
            f"label: expected none for a generator trained without labels, found {label}; "
            "train with --conditional"
        )
    if label is not None and not 0 <= label < config.classes:
        raise Pix2PixError(f"label: expected 0 to {config.classes - 1}, found {label}")
    written = [out / f"{number:04d}.png" for number in range(count)]
    check_new(*written, force=force)
    model = model_of(replace(config, seed=seed))
    checkpoints.fill(model.inference_parameters(), found, path, (config, config))
    labels = np.arange(count) % config.classes if label is None else np.full(count, label)
    out.mkdir(parents=True, exist_ok=True)
    for path, image in zip(written, model.generate(count, labels), strict=True):
        with appearing_whole(path) as writing:
            to_image(shown(to_pixels(image))).save(writing, "PNG")
    return written
