"""A classifier of photos, pixel by pixel, that judges generated ones (paper, section 4.1).

It is the generator's U-Net with a score for each class of the label maps as its output, trained on
real photos with cross-entropy. It labels with the moving statistics, so that a photo's labels do
not depend on the others in its batch.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from mindspore import Tensor, nn, ops
from PIL import Image

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.data.facades import classes_of
from pix2pix_ms.data.images import Pixels, to_pixels
from pix2pix_ms.data.pair_batches import (
    Subset,
    TrainingData,
    check_channels,
    epoch_data,
    label_maps,
    pairs_of,
    plain_data,
)
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import check_new, held
from pix2pix_ms.machine.precision import Terms, gradient_step, mixed
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.measures.scores import (
    CLASSES,
    SegmentationScores,
    confusion,
    segmentation_scores,
)
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.task import set_rate

NETWORK = "segmenter"


class Segmenter(UNet):
    """The U-Net as a classifier: photo to a score for each class.

    Shapes: float32 [N, 3, H, W] in [-1, 1] to [N, 12, H, W], unbounded.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config, channels_out=CLASSES)
        for parameter in self.get_parameters():
            parameter.name = f"{NETWORK}.{parameter.name.partition('.')[2]}"

    def construct(self, x: Tensor, *masks: Tensor) -> Tensor:
        return self.decoded(x, *masks)


class Labeller:
    """A segmenter as a function: a photo, uint8 [H, W, 3], to class indices, uint8 [H, W]."""

    def __init__(self, network: Segmenter, config: Config) -> None:
        self.scores, self.shape = Translator(network, config, "eval"), config.shape

    def __call__(self, photo: Pixels) -> Pixels:
        """Label every pixel; a photo of another size is resized, and its labels resized back."""
        scores = self.scores(to_network(photo, self.shape)[None])
        labels = Image.fromarray(scores[0].argmax(axis=0).astype(np.uint8))
        height, width = photo.shape[:2]
        return np.asarray(labels.resize((width, height), Image.Resampling.NEAREST))


def train_segmenter(
    config: Config,
    data: TrainingData,
    out: Path,
    report: Callable[[str], None] = print,
    force: bool = False,
) -> SegmentationScores:
    """Train a segmenter, write it to the file `out` at the end, and return its held-out scores.

    Args:
        config: `SEGMENTER` with any changes; which images are label maps decides its direction.
        report: called with a line of text after every epoch.
        force: replace an existing file.

    Raises:
        Pix2PixError: if `out` exists, or is in use by another process, the pairs are not of a
            photo and a label map, or the weights become NaN.
    """
    with held(out, is_file=True):
        check_new(out, force=force)
        config = replace(config, direction=photo_to_labels(data.held_out))
        for subset in (data.train, data.held_out):
            check_channels(subset.record, config)
        report(data.description)
        network = Segmenter(config)
        initialise(network, config)
        scores = run_epochs(network, config, data, report)
        checkpoints.save(network.get_parameters(), out, config, epoch=config.epochs)
    return scores


def run_epochs(
    network: Segmenter, config: Config, data: TrainingData, report: Callable[[str], None]
) -> SegmentationScores:
    """Train a network and return its held-out scores after the last epoch."""
    optimiser, labeller = adam(network, config), Labeller(network, config)
    step = training_step(network, optimiser, config)
    for epoch in range(1, config.epochs + 1):
        began = time.perf_counter()
        set_rate(optimiser, config.learning_rate_at(epoch))
        network.set_train()
        batches = pairs_of(epoch_data(data.train, config, epoch), data.train)
        losses = [float(step(Tensor(x), Tensor(one_hot(y)))[0]) for x, y in batches]
        if not all(np.isfinite(p.asnumpy()).all() for p in network.get_parameters()):
            raise Pix2PixError(
                f"epoch {epoch}: expected finite weights, found others; look for broken images in "
                "the data, or try a lower --learning-rate"
            )
        scores = held_out_scores(labeller, data.held_out, config)
        report(
            f"epoch {epoch:{len(str(config.epochs))}d}/{config.epochs}  cross-entropy "
            f"{np.mean(losses):.3f}  held-out per-pixel {scores.pixel_accuracy:.3f}  per-class "
            f"{scores.class_accuracy:.3f}  IoU {scores.class_iou:.3f}"
            f"  {time.perf_counter() - began:.1f} s"
        )
    return scores


def photo_to_labels(subset: Subset) -> Direction:
    """Return the direction from photo to label map, judged by the colours of the first pair.

    Raises:
        Pix2PixError: if both images are label maps, or neither is.
    """
    found = label_maps(subset)
    if sum(found) != 1:
        raise Pix2PixError(
            f"{subset.record.path}: expected pairs of a photo and a label map in the colours of "
            f"CMP Facade, found {('no', 'one', 'two')[sum(found)]} label maps in the first pair; "
            "give other data"
        )
    return "BtoA" if found[0] else "AtoB"


def training_step(
    network: Segmenter, optimiser: nn.Optimizer, config: Config
) -> Callable[..., Terms]:
    """Return the step: photos and one-hot labels to the loss, updating the network."""
    scores = mixed(network, config)

    def loss(x: Tensor, wanted: Tensor) -> Terms:
        value = ops.cross_entropy(scores(x), wanted)
        return value, value

    return compiled(gradient_step(loss, optimiser), config)


def one_hot(label_maps: np.ndarray) -> np.ndarray:
    """Return label maps, float32 [N, 3, H, W] in [-1, 1], one-hot: float32 [N, 12, H, W].

    A pixel has the class of the nearest palette colour.
    """
    labels = np.stack([classes_of(picture) for picture in to_pixels(label_maps)])
    return np.moveaxis(np.eye(CLASSES, dtype=np.float32)[labels], -1, 1).copy()


def held_out_scores(labeller: Labeller, subset: Subset, config: Config) -> SegmentationScores:
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for x, y in pairs_of(plain_data(subset, config), subset):
        counts += confusion(classes_of(to_pixels(y[0])), labeller(to_pixels(x[0])))
    return segmentation_scores(counts)


def load_segmenter(path: Path) -> Labeller:
    """Return the segmenter of a checkpoint; raises as `file_of`, `load` and `fill` do."""
    path = checkpoints.file_of(path)
    found, config, _ = checkpoints.load(path)
    checkpoints.check_holds(NETWORK, found, path)
    network = Segmenter(config)
    checkpoints.fill(network.parameters_dict(), found, path, (config, config))
    return Labeller(network, config)
