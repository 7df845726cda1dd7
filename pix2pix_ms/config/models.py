"""The models: their names, settings, presets and tasks.

Settings are light and imported at once; tasks, which import MindSpore, when they are needed.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from pix2pix_ms.config import family
from pix2pix_ms.config.pix2pix import PRESETS, Config
from pix2pix_ms.config.settings import Settings, parsed
from pix2pix_ms.errors import Pix2PixError


class Entry(NamedTuple):
    """A model: its settings, its presets, and where its parts are, as "module:name"."""

    config: type[Settings]
    presets: Mapping[str, Settings]
    task: str
    generator: str | None = None
    """The function from a config to the network that translates an image to an image."""
    opener: str | None = None
    """The function from a checkpoint's parameters to a translator, for a model with styles."""

    def task_class(self) -> Any:
        return imported(self.task)


def imported(place: str) -> Any:
    """Return what is at "module:name" of the package."""
    module, name = place.split(":")
    return getattr(importlib.import_module(f"pix2pix_ms.{module}"), name)


NOISE = "family.gan.task:NoiseTask"
MODELS: dict[str, Entry] = {
    entry.config.model: entry
    for entry in (
        Entry(Config, PRESETS, "pix2pix.task:PairsTask", "pix2pix.step:generator_of"),
        Entry(family.GANConfig, family.GAN_PRESETS, NOISE),
        Entry(family.DCGANConfig, family.DCGAN_PRESETS, NOISE),
        Entry(family.LSGANConfig, family.LSGAN_PRESETS, NOISE),
        Entry(family.WGANConfig, family.WGAN_PRESETS, NOISE),
        Entry(
            family.CycleGANConfig,
            family.CYCLEGAN_PRESETS,
            "family.cyclegan.task:UnpairedTask",
            "family.cyclegan.step:generator",
        ),
        Entry(
            family.StarGANConfig,
            family.STARGAN_PRESETS,
            "family.stargan.task:StylesTask",
            opener="family.stargan.translate:style_translator",
        ),
    )
}


def refuse_foreign(given: Iterable[str], model: str) -> None:
    """Refuse settings that the model does not have.

    Raises:
        Pix2PixError: naming the first, and the models that have it.
    """
    known = {entry.name for entry in fields(MODELS[model].config)}
    for name in given:
        if name not in known:
            others = [m for m, e in MODELS.items() if name in {f.name for f in fields(e.config)}]
            raise Pix2PixError(
                f"{name}: expected a setting of {model}, found one of {', '.join(others)}; "
                "leave it out, or choose another --model"
            )


def preset(name: str, model: str = Config.model, **changes: Any) -> Any:
    """Return the preset `name` of a model with some fields changed.

    Raises:
        Pix2PixError: if there is no such model or preset, or a field has an impossible value.
    """
    if model not in MODELS:
        raise Pix2PixError(f"model: expected one of {', '.join(MODELS)}, found {model!r}")
    presets = MODELS[model].presets
    if name not in presets:
        raise Pix2PixError(f"preset: expected one of {', '.join(presets)}, found {name!r}")
    return replace(presets[name], **changes)


def settings_from_json(text: str, where: str) -> Any:
    """Return the settings in `text`, of whichever model; `where` is the place an error names.

    Raises:
        Pix2PixError: if the text is not JSON, or names an unknown model or setting.
    """
    values = parsed(text, where)
    model = values.get("model", Config.model)  # absent in the oldest runs
    if not isinstance(model, str) or model not in MODELS:
        raise Pix2PixError(
            f"{where}: expected settings of one of {', '.join(MODELS)}, found those of {model!r}; "
            "was it written by another version?"
        )
    return MODELS[model].config.from_values(values, where)
