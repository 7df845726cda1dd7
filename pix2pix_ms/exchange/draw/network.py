"""The network behind the page: exported once, then run by onnxruntime without MindSpore."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import helper

from pix2pix_ms import __version__
from pix2pix_ms.config.models import settings_from_json
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.images import Pixels, channelled, from_pixels, to_pixels
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import appearing_whole
from pix2pix_ms.machine.randomness import Stream, dropout, random

MASK = "mask_"  # and a number: the names of dropout masks in the graph


class Network:
    """The generator of a checkpoint or run at `place`, in onnxruntime, from an ONNX model.

    Its input is drawn in `labels` or with a `pen`, or is a `picture`.
    """

    def __init__(self, model: bytes, place: Path) -> None:
        self.model, self.place = model, place
        options = onnxruntime.SessionOptions()  # beside other work, waiting threads halve the pace
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(model, options)
        facts = self.session.get_modelmeta().custom_metadata_map
        self.config: Any = settings_from_json(facts["config"], str(place))
        self.input: str = facts["input"]
        image, *masks = self.session.get_inputs()
        self.shape: tuple[int, int] = tuple(image.shape[2:])
        self.masks: dict[str, list[int]] = {mask.name: mask.shape for mask in masks}

    def noise(self, seed: int) -> dict[str, np.ndarray]:
        """Draw the dropout masks of `translate --seed`: float32, entries 0 or 2."""
        numbers = {name: int(name.removeprefix(MASK)) for name in self.masks}
        draws = {name: random(seed, Stream.INFERENCE, 0, n).random for name, n in numbers.items()}
        return {name: dropout(draws[name](at, np.float32)) for name, at in self.masks.items()}

    def run(self, seen: Pixels, seed: int) -> np.ndarray:
        """Return G(x), float32 [C', H, W] in [-1, 1], of uint8 [H, W, C]."""
        feeds = {"input_image": from_pixels(seen)[None], **self.noise(seed)}
        return np.asarray(self.session.run(None, feeds)[0][0])

    def __call__(self, image: Pixels, seed: int) -> Pixels:
        """Return what it makes of an image of its size, RGBA, uint8 [H, W, 4] both."""
        if getattr(self.config, "colours", "rgb") == "rgb":
            generated = self.run(channelled(image, self.config.input_channels), seed)
        else:
            from pix2pix_ms.data.lab import coloured, lab_of, lightness  # half a second

            generated = coloured(lab_of(image)[:1], self.run(lightness(image), seed))
        return channelled(to_pixels(generated), 4)


def open_network(place: Path) -> Network:
    """Return the network of a checkpoint or run; its ONNX file is kept beside it, hidden.

    Raises:
        Pix2PixError: if it cannot be read, or does not make one image of another.
    """
    name = f".draw-{__version__}.onnx"
    kept = place / name if place.is_dir() else place.with_name(f".{place.name}{name}")
    files = [place, *(place / "checkpoints").glob("*.ckpt"), *place.glob("*.safetensors")]
    newest = max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)
    if not kept.is_file() or kept.stat().st_mtime_ns != newest:
        model = exported(place)
        with suppress(OSError):  # on a read-only disk it is exported every time
            with appearing_whole(kept) as writing:
                writing.write_bytes(model)
            os.utime(kept, ns=(newest, newest))
        return Network(model, place)
    return Network(kept.read_bytes(), place)


def exported(place: Path) -> bytes:
    """Return a checkpoint's generator as ONNX, with its dropout masks as further inputs."""
    from pix2pix_ms.exchange.frozen import freeze  # which imports MindSpore
    from pix2pix_ms.exchange.onnx_graph import model_of
    from pix2pix_ms.training import checkpoints

    path = checkpoints.file_of(place)
    generator, config = checkpoints.load_generator(path)
    model = model_of(freeze(generator, config, dropout_seed=0 if generator.dropped else None))
    for mask in [each for each in model.graph.initializer if each.name.startswith(MASK)]:
        entry = helper.make_tensor_value_info(mask.name, mask.data_type, mask.dims)
        model.graph.input.append(entry)
        model.graph.initializer.remove(mask)
    model.metadata_props.add(key="input", value=input_of(config, path))
    return bytes(model.SerializeToString())


def input_of(config: Any, path: Path) -> str:
    """Return `labels`, `pen` or `picture`.

    Three channels are labels or a photo: the records of the checkpoint's run tell. Without records
    they are taken for labels.
    """
    from pix2pix_ms.data.pair_batches import NETWORK_COLUMNS, label_maps, training_data
    from pix2pix_ms.training.run import Run

    if config.model != Config.model or config.colours == "lab":
        return "picture"
    if config.input_channels < 3:
        return "pen"
    with suppress(Pix2PixError, IndexError):
        pairs = training_data(Path(Run(path.absolute().parents[1]).data()["train"]), config.seed)
        if not label_maps(pairs.train)[NETWORK_COLUMNS[config.direction].index("x")]:
            return "picture"
    return "labels"
