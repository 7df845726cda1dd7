"""pix2pix in MindSpore: image-to-image translation on Ascend, GPU and CPU.

Importing this package prepares the process before MindSpore is loaded (`machine/process.py`) and
loads MindSpore itself only when a name that needs it is first used, so `pix2pix_ms` and the
command's `--help` stay instant. Import it before `mindspore`.
"""

import importlib

from pix2pix_ms.machine.process import prepare_process

__version__ = "0.1.0"

_HOME_OF = {
    "Config": "config.pix2pix",
    "preset": "config.models",
    "Pix2PixError": "errors",
    "choose_device": "machine.device",
    "Stream": "machine.randomness",
    "random": "machine.randomness",
    "facade": "data.facades",
    "styled": "data.facades",
    "PALETTE": "data.facades",
    "classes_of": "data.facades",
    "facade_pairs": "data.builtin",
    "Pair": "data.images",
    "prepare": "data.prepare.prepare",
    "Recipe": "data.prepare.recipe",
    "write_record": "data.writing",
    "open_record": "data.records",
    "read_record": "data.records",
    "to_pixels": "data.images",
    "from_pixels": "data.images",
    "resized": "data.images",
    "lab_of": "data.lab",
    "lightness": "data.lab",
    "coloured": "data.lab",
    "training_data": "data.pair_batches",
    "plain_data": "data.pair_batches",
    "epoch_data": "data.pair_batches",
    "Subset": "data.pair_batches",
    "pairs_of": "data.pair_batches",
    "settings_of": "data.pair_batches",
    "UNet": "pix2pix.nets.unet",
    "parameter_count": "pix2pix.nets.unet",
    "PatchGAN": "pix2pix.nets.patchgan",
    "receptive_field": "pix2pix.nets.patchgan",
    "initialise": "pix2pix.nets.initialise",
    "Pix2Pix": "pix2pix.step",
    "train": "training.epochs",
    "Run": "training.run",
    "Translator": "pix2pix.translate",
    "to_network": "pix2pix.translate",
    "translate": "pix2pix.translate",
    "load_generator": "training.checkpoints",
    "SHIPPED": "machine.files",
    "SHIPPED_GENERATOR": "machine.files",
    "GANConfig": "config.family",
    "load_averages": "family.stargan.translate",
    "export_as": "exchange.export",
    "evaluate": "pix2pix.measures.scores",
    "score": "pix2pix.measures.scores",
    "image_grid": "training.figures",
}
__all__ = [  # noqa: PLE0604  (the names are those of the table above)
    "__version__",
    "prepare_process",
    *_HOME_OF,
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


prepare_process()
