"""What a run is: one frozen dataclass, which is the only home of a default, and three presets."""

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin

from pix2pix_ms.errors import Pix2PixError

Norm = Literal["batch", "instance", "none"]
InitType = Literal["normal", "xavier", "kaiming", "constant"]
GanMode = Literal["vanilla", "lsgan"]
PixelLoss = Literal["l1", "l2"]
Device = Literal["auto", "Ascend", "GPU", "CPU"]
Direction = Literal["AtoB", "BtoA"]
Colours = Literal["rgb", "lab"]
Fit = Literal["resize", "pad", "crop"]


def setting(default: Any, text: str) -> Any:
    """Declare a field with its default and the sentence the command's help prints."""
    return field(default=default, metadata={"help": text})


def check_choice(name: str, kind: Any, value: object) -> None:
    """Refuse a value that is not among the choices of a Literal field."""
    if get_origin(kind) is Literal and value not in get_args(kind):
        choices = ", ".join(get_args(kind))
        raise Pix2PixError(f"{name}: expected one of {choices}, found {value!r}")


def expect(holds: bool, name: str, expected: str, found: object) -> None:
    """Raise the error of a field whose value does not fit."""
    if not holds:
        raise Pix2PixError(f"{name}: expected {expected}, found {found}; change this setting")


LAB = (1, 2, "AtoB")  # channels and direction of colourisation: L to a and b


@dataclass(frozen=True)
class Config:
    """Every setting of a run; the defaults are the paper's recipe (section 6.2 there).

    Raises:
        Pix2PixError: where a value is not possible, or two do not fit together.
    """

    size: int = setting(256, "side of the square images the networks see, in pixels")
    height: int | None = setting(None, "their height, where it is not size")
    width: int | None = setting(None, "their width, where it is not size")
    fit: Fit = setting(
        "resize", "images of another shape: resize both sides; pad to the shape; crop the middle"
    )
    jitter_size: int = setting(
        286, "what size grows to before the random crop; height and width in proportion"
    )
    input_channels: int = setting(
        3, "channels of the input image: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; as the data have"
    )
    target_channels: int = setting(3, "channels of the target image, likewise")
    colours: Colours = setting(
        "rgb", "lab: the input is the target's lightness, and its colours are learned; as the data"
    )
    mirror: bool = setting(True, "mirror half of the training pairs, at random")
    direction: Direction = setting("AtoB", "AtoB: input_images to target_images; BtoA: back")
    batch_size: int = setting(1, "pairs in one step")

    levels: int | None = setting(None, "levels of the U-Net; unless given: down to 1x1 pixel")
    skips: bool = setting(True, "pass features across the U-Net; no: an encoder-decoder")
    ngf: int = setting(64, "filters in the generator's first layer")
    ndf: int = setting(64, "filters in the discriminator's first layer")
    n_layers: int = setting(3, "strided layers of the PatchGAN, 1 to 5; 0: the 1x1 PixelGAN")
    conditional: bool = setting(True, "show D the input image too; no: only the image it judges")
    norm: Norm = setting("batch", "normalisation in both networks")
    dropout: bool = setting(True, "dropout 0.5 in the first decoder blocks")
    init_type: InitType = setting("normal", "how weights start")
    init_gain: float = setting(0.02, "standard deviation, gain or value of the start")

    gan_mode: GanMode = setting("vanilla", "adversarial loss")
    gan_weight: float = setting(1.0, "weight of the adversarial loss; 0: no discriminator")
    pixel_loss: PixelLoss = setting("l1", "distance between generated and target image")
    lambda_l1: float = setting(100.0, "weight of that distance")
    learning_rate: float = setting(2e-4, "Adam's learning rate while it is constant")
    beta1: float = setting(0.5, "Adam's first decay rate")
    beta2: float = setting(0.999, "Adam's second decay rate")

    epochs: int = setting(200, "passes over the training pairs")
    constant_epochs: int | None = setting(
        None, "epochs before the learning rate falls linearly; unless given: the first half"
    )
    seed: int = setting(0, "decides weights, order, jitter, dropout, and what is held out")
    device: Device = setting("auto", "what to compute on; auto: the first there is")
    jit: bool = setting(True, "compile the step to a graph; no: run it operation by operation")

    facades: int = setting(400, "procedural pairs where no data is given; a tenth is held out")
    save_every: int = setting(10, "epochs between kept copies of the generator")
    samples: int = setting(4, "held-out pairs in the sample grid")

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_choice(entry.name, entry.type, getattr(self, entry.name))
        lower_bounds = {
            "size": 8, "jitter_size": self.size, "batch_size": 1, "ngf": 1, "ndf": 1,
            "n_layers": 0, "epochs": 1, "seed": 0, "facades": 1, "save_every": 1, "samples": 1,
            "gan_weight": 0, "lambda_l1": 0, "init_gain": 0,
        }  # fmt: skip
        for name in ("height", "width"):
            if getattr(self, name) is not None:
                lower_bounds[name] = lower_bounds["size"]
        for name, bound in lower_bounds.items():
            expect(getattr(self, name) >= bound, name, f"at least {bound}", getattr(self, name))
        expect(
            self.gan_weight > 0 or self.lambda_l1 > 0,
            "lambda_l1",
            "above 0 where gan_weight is 0",
            0,
        )
        for name in ("learning_rate", "beta1", "beta2"):  # nn.Adam refuses a rate of 0
            expect(0 < getattr(self, name) < 1, name, "between 0 and 1", getattr(self, name))
        expect(0 <= self.constant <= self.epochs, "constant_epochs", "0 to epochs", self.constant)
        expect(self.n_layers <= 5, "n_layers", "0 to 5", self.n_layers)
        self.check_channels()
        self.check_shape()

    def check_channels(self) -> None:
        """Refuse images of no known kind, and colourisation of anything but L to a and b."""
        for name in ("input_channels", "target_channels"):
            expect(1 <= getattr(self, name) <= 4, name, "1 to 4", getattr(self, name))
        if self.colours == "lab":
            found = (self.input_channels, self.target_channels, self.direction)
            expect(found == LAB, "input_channels, target_channels, direction",
                   "1, 2 and AtoB where colours is lab", ", ".join(map(str, found)))  # fmt: skip

    def check_shape(self) -> None:
        """Refuse a height or width the U-Net cannot halve as often as it has levels."""
        expect(self.depth >= 2, "levels", "at least 2", self.depth)
        stride = 2**self.depth
        deepest = min(int(math.log2(side & -side)) for side in self.shape)  # all can be halved
        shallower = f", or levels at most {deepest}" * (deepest >= 2)
        for name, side in zip(("height", "width"), self.shape, strict=True):
            below, above = side // stride * stride, -(-side // stride) * stride
            sizes = " or ".join(str(valid) for valid in (below, above) if valid)
            expect(
                side % stride == 0,
                "size" if getattr(self, name) is None else name,
                f"a multiple of {stride} ({sizes}) for a U-Net of {self.depth} levels{shallower}",
                side,
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images the networks see."""
        return self.height or self.size, self.width or self.size

    @property
    def jitter_shape(self) -> tuple[int, int]:
        """Height and width images are resized to before the random crop."""
        height, width = (round(side * self.jitter_size / self.size) for side in self.shape)
        return height, width

    @property
    def depth(self) -> int:
        """Levels of the U-Net: as set, or as many as halve the shorter side to one pixel."""
        return self.levels if self.levels is not None else int(math.log2(min(self.shape)))

    @property
    def constant(self) -> int:
        """Epochs at the full learning rate."""
        return self.constant_epochs if self.constant_epochs is not None else self.epochs // 2

    def learning_rate_at(self, epoch: int) -> float:
        """Return the rate in `epoch`, counted from 1: constant, then linear towards 0."""
        decayed = max(0, epoch - self.constant) / (self.epochs - self.constant + 1)
        return self.learning_rate * (1 - decayed)

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Config":
        """Return the settings in `text`; `where` is the place an error names.

        Raises:
            Pix2PixError: if the text is not JSON or names an unknown setting.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise Pix2PixError(
                f"{where}: expected the settings of a run as JSON, found {error}; "
                "was it written by another version?"
            ) from error


PRESETS: dict[str, Config] = {
    # To see the whole thing work: 64x64, narrow, about a minute on two CPU cores.
    "quick": Config(
        size=64, jitter_size=72, ngf=16, ndf=32, n_layers=2, epochs=8, facades=240, save_every=4
    ),
    # Real facades in some seven minutes on two CPU cores: half the paper's size and width.
    "cpu": Config(size=128, jitter_size=143, ngf=32, ndf=32, epochs=15, save_every=5),
    # Isola et al. 2017, facades: 256x256, 200 epochs; the decay over the second half is that of
    # the authors' PyTorch code.
    "paper": Config(),
}


# Half the paper's size and width. Five levels, to 4x4 pixels, so that it ships: the two below hold
# 6 of 10 million weights. Batches, so that the moving statistics are close to those the network
# learned with; Adam as is usual for classifiers, without the low beta1 a GAN needs.
SEGMENTER = Config(
    size=128, jitter_size=143, levels=5, ngf=32, dropout=False, batch_size=4, learning_rate=1e-3,
    beta1=0.9, epochs=40,
)  # fmt: skip


def segmenter_config(**changes: Any) -> Config:
    """Return the settings of the segmenter with some fields changed.

    Raises:
        Pix2PixError: if a field has an impossible value.
    """
    size = changes.get("size", SEGMENTER.size)
    smallest = 2 ** (changes.get("levels", SEGMENTER.levels) or 0)
    expect(size % smallest == 0, "size", f"a multiple of {smallest}", size)
    jitter_size = round(size * Config.jitter_size / Config.size)  # the paper's jitter at this size
    return replace(SEGMENTER, **{"jitter_size": jitter_size, **changes})


def preset(name: str, **changes: Any) -> Config:
    """Return the preset `name` with some fields changed.

    Raises:
        Pix2PixError: if there is no such preset or a field has an impossible value.
    """
    if name not in PRESETS:
        raise Pix2PixError(f"preset: expected one of {', '.join(PRESETS)}, found {name!r}")
    return replace(PRESETS[name], **changes)
