"""How a setting is declared and checked, and the settings that every model has.

The settings of a model are one frozen dataclass, the only place of their defaults:
`config/pix2pix.py` has those of pix2pix, `config/family.py` those of its relatives.
"""

import json
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pix2pix_ms.errors import Pix2PixError

Norm = Literal["batch", "instance", "none"]
Upsampling = Literal["transposed", "composed", "inner"]
InitType = Literal["normal", "xavier", "kaiming", "constant"]
Device = Literal["auto", "Ascend", "GPU", "CPU"]
Direction = Literal["AtoB", "BtoA"]
Colours = Literal["rgb", "lab"]
Fit = Literal["resize", "pad", "crop", "random-crop"]
Amp = Literal["O0", "O2", "O3", "auto"]
Half = Literal["float16", "bfloat16"]

BOUNDS: dict[str, tuple[str, Callable[..., bool]]] = {
    "least": ("at least", operator.ge),
    "most": ("at most", operator.le),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
}


def setting(default: Any, text: str, **bounds: float) -> Any:
    """Declare a field with its default, the sentence the command's help prints, and its bounds."""
    return field(default=default, metadata={"help": text, "bounds": bounds})


def check_choice(name: str, kind: Any, value: object) -> None:
    """Refuse a value that is not among the choices of a Literal."""
    if value not in get_args(kind):
        choices = ", ".join(get_args(kind))
        raise Pix2PixError(f"{name}: expected one of {choices}, found {value!r}")


def check_value(entry: Field[Any], value: Any) -> None:
    """Refuse a value that is not of a field's type, choices or range, as in a damaged file.

    Raises:
        Pix2PixError: naming the field.
    """
    union = get_origin(entry.type) in (Union, UnionType)
    kind, *none = get_args(entry.type) if union else (entry.type,)
    if value is None and none:
        return
    if get_origin(kind) is Literal:
        check_choice(entry.name, kind, value)
    elif get_origin(kind) is tuple:
        fits = isinstance(value, tuple) and all(isinstance(part, str) for part in value)
        expect(fits, entry.name, "a list of names", repr(value))
    else:
        wanted = (int, float) if kind is float else kind
        fits = isinstance(value, wanted) and isinstance(value, bool) == (kind is bool)
        expect(fits, entry.name, f"a value of type {kind.__name__}", repr(value))
        finite = not isinstance(value, float) or math.isfinite(value)
        expect(finite, entry.name, "a finite number", value)
        if isinstance(value, int):
            expect(abs(value) < 2**63, entry.name, f"at most {2**63 - 1}", value)
    for bound, limit in entry.metadata["bounds"].items():
        words, holds = BOUNDS[bound]
        expect(holds(value, limit), entry.name, f"{words} {limit}", value)


def expect(holds: bool, name: str, expected: str, found: object) -> None:
    """Raise the error of a field whose value does not fit."""
    if not holds:
        raise Pix2PixError(f"{name}: expected {expected}, found {found}; change this setting")


@dataclass(frozen=True)
class Settings:
    """The settings every model has.

    Raises:
        Pix2PixError: if a value is impossible, or two do not fit together.
    """

    model: ClassVar[str]
    """The model's name in the command."""
    architecture: ClassVar[tuple[str, ...]]
    """The settings that decide the parameters of its networks, and their shapes."""
    networks: ClassVar[tuple[str, ...]] = ("generator",)
    """Prefixes of the parameters that inference needs."""
    grows: ClassVar[float] = 286 / 256
    """`jitter_size` as a multiple of `size`, unless given."""
    decays: ClassVar[bool] = True
    """Whether the learning rate falls over the second half, unless `constant_epochs` is given."""

    size: int = setting(256, "side of the square images the networks see, in pixels", least=8)
    height: int | None = setting(None, "their height, where it is not size", least=8)
    width: int | None = setting(None, "their width, where it is not size", least=8)
    fit: Fit = setting(
        "resize",
        "images of another shape: resize both sides; pad to the shape; crop the middle; "
        "random-crop: train on crops of the full resolution",
    )
    jitter_size: int | None = setting(
        None,
        "side to resize to before the random crop; height and width in proportion; unless given: "
        "size x 286/256, and size itself where images are made of noise",
    )
    mirror: bool = setting(True, "mirror half of the training images, at random")
    batch_size: int = setting(1, "images or pairs per step; with --distributed, per rank", least=1)
    ranks: int = setting(1, "processes that train together; as msrun has started them", least=1)
    sync_batch_norm: bool = setting(False, "with --distributed: batch statistics over all ranks")

    init_type: InitType = setting("normal", "how weights are initialised")
    init_gain: float = setting(0.02, "standard deviation, gain or value of these weights", least=0)
    learning_rate: float = setting(2e-4, "initial learning rate", above=0, below=1)
    beta1: float = setting(0.5, "Adam's first decay rate", least=0, below=1)
    beta2: float = setting(0.999, "Adam's second decay rate", above=0, below=1)

    epochs: int = setting(200, "passes over the training data", least=1)
    constant_epochs: int | None = setting(
        None,
        "epochs before the learning rate falls linearly; unless given: the first half of pix2pix's "
        "and cyclegan's, all of the others'",
    )
    seed: int = setting(0, "decides weights, order, jitter, noise, and what is held out", least=0)
    device: Device = setting("auto", "what to compute on; auto: the first available")
    jit: bool = setting(True, "compile the step to a graph; no: run it operation by operation")
    amp: Amp = setting("O0", "mixed precision, in the levels of mindspore.amp; O0: none")
    amp_dtype: Half = setting("float16", "the 16-bit type; bfloat16: on Ascend only")

    save_every: int = setting(10, "epochs between checkpoints for inference", least=1)
    sample_every: int = setting(1, "epochs between sample grids; the last has one too", least=1)
    samples: int = setting(4, "held-out images in the sample grid", least=1)
    generator_only: bool = setting(False, "with --from: start with its generator alone")
    start_from: str | None = setting(None, "run or network to start with: option --from")

    def __init_subclass__(cls) -> None:
        """Let a subclass change a default alone, `size: int = 8`: help and bounds are inherited."""
        for entry in fields(cls):
            default = vars(cls).get(entry.name, entry)
            if not isinstance(default, Field):
                setattr(cls, entry.name, field(default=default, metadata=entry.metadata))

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_value(entry, getattr(self, entry.name))
        grown = self.jitter >= self.size
        expect(grown, "jitter_size", f"at least {self.size}, which is size", self.jitter_size)
        grown = self.fit == "random-crop" and self.jitter != self.size
        expect(not grown, "jitter_size", "none beside fit random-crop", self.jitter_size)
        if self.jitter_size == round(self.size * self.growth):  # so that it follows another size
            object.__setattr__(self, "jitter_size", None)
        expect(0 <= self.constant <= self.epochs, "constant_epochs", "0 to epochs", self.constant)
        needed = "O0 where a loss has a gradient penalty, as with stargan and gan_mode wgan-gp"
        expect(self.amp == "O0" or not self.penalised, "amp", needed, self.amp)
        alone = self.amp == "O0" and self.amp_dtype != "float16"
        expect(not alone, "amp_dtype", "amp beside it, such as O2", f"{self.amp_dtype} alone")
        if self.sync_batch_norm:
            expect(self.ranks > 1, "sync_batch_norm", "--distributed beside it", "one process")
            norm = getattr(self, "norm", "batch")
            expect(norm == "batch", "sync_batch_norm", "norm batch beside it", f"norm {norm}")
        alone = self.generator_only and self.start_from is None
        expect(not alone, "generator_only", "--from beside it", "it alone")
        self.check()

    @property
    def penalised(self) -> bool:
        """Whether a loss has a gradient penalty, and so a second derivative."""
        return False

    @property
    def chosen_by(self) -> str | None:
        """The held-out measure by which the best checkpoint is kept, if any."""
        return None

    def check(self) -> None:
        """Raise Pix2PixError where this model's own settings do not fit together."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images the networks see."""
        return self.height or self.size, self.width or self.size

    @property
    def jitter(self) -> int:
        """The side that `size` is resized to before the random crop."""
        return round(self.size * self.growth) if self.jitter_size is None else self.jitter_size

    @property
    def growth(self) -> float:
        """`jitter_size` as a multiple of `size`, unless given; 1 for crops of whole images."""
        return 1.0 if self.fit == "random-crop" else self.grows

    @property
    def jitter_shape(self) -> tuple[int, int]:
        """Height and width images are resized to before the random crop."""
        height, width = (round(side * self.jitter / self.size) for side in self.shape)
        return height, width

    @property
    def global_batch(self) -> int:
        """Images or pairs that all ranks together see in one step."""
        return self.batch_size * self.ranks

    @property
    def constant(self) -> int:
        """Epochs at the full learning rate."""
        if self.constant_epochs is not None:
            return self.constant_epochs
        return self.epochs // 2 if self.decays else self.epochs

    def learning_rate_at(self, epoch: int) -> float:
        """Return the rate in `epoch`, counted from 1: constant, then linear towards 0."""
        decayed = max(0, epoch - self.constant) / (self.epochs - self.constant + 1)
        return self.learning_rate * (1 - decayed)

    def changed_since(self, before: Self, epoch: int) -> list[str]:
        """Return a line for each part of the schedule that differs in `epoch` from `before`."""
        rate = self.learning_rate_at(epoch)
        if rate == before.learning_rate_at(epoch):
            return []
        return [f"the learning rate goes on at {rate:.2g}"]

    def to_json(self) -> str:
        values = {"model": self.model, **asdict(self), "jitter_size": self.jitter}
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Return the settings in JSON text; raises as `from_values`, or where it is not JSON."""
        return cls.from_values(parsed(text, where), where)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> Self:
        """Return the settings in values parsed from JSON; an error names `where` they are.

        Raises:
            Pix2PixError: if they are another model's, or one is unknown or impossible.
        """
        settings: dict[str, Any] = {  # JSON has no tuples
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        model = settings.pop("model", cls.model)
        if model != cls.model:
            raise Pix2PixError(
                f"{where}: expected settings of {cls.model}, found those of {model!r}"
            )
        if unknown := settings.keys() - {entry.name for entry in fields(cls)}:
            raise unreadable(where, f"the unknown setting {min(unknown)}")
        try:
            return cls(**settings)
        except Pix2PixError as error:
            raise Pix2PixError(f"{where}: {error}") from error


def parsed(text: str, where: str) -> dict[str, Any]:
    """Return the values in JSON text, by name."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(where, error) from error
    if not isinstance(values, dict):
        raise unreadable(where, f"a {type(values).__name__}")
    return values


def unreadable(where: str, found: object) -> Pix2PixError:
    return Pix2PixError(
        f"{where}: expected the settings of a run as JSON, found {found}; "
        "was it written by another version?"
    )


@dataclass(frozen=True)
class FacadeSettings(Settings):
    """The settings of a model that trains on procedural facades where no data is given."""

    facades: int = setting(400, "procedural facades to make without --data", least=1, most=10**6)
