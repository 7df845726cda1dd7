"""What a run of each relative is: its settings with its paper's defaults, and its presets."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pix2pix_ms.config.settings import (
    HEAVIEST,
    MOST_FILTERS,
    Direction,
    FacadeSettings,
    InitType,
    Norm,
    Settings,
    expect,
    other_default,
    setting,
)


def check_square(config: Settings) -> None:
    """Refuse images that cannot be halved to 4x4."""
    for side in config.shape:
        square = side in [2**power for power in range(3, 11)] and side == config.size
        expect(square, "size, height, width", "one power of 2 from 8 to 1024", side)


@dataclass(frozen=True)
class GANConfig(Settings):
    """A generator from noise, of fully connected layers (Goodfellow 2014, Mirza 2014)."""

    model: ClassVar[str] = "gan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "channels", "latent_dim", "classes", "conditional", "ngf", "ndf",
    )  # fmt: skip

    grows: ClassVar[float] = 1
    decays: ClassVar[bool] = False

    size: int = other_default(Settings, "size", 8)
    mirror: bool = other_default(Settings, "mirror", False)
    batch_size: int = other_default(Settings, "batch_size", 64)
    learning_rate: float = other_default(Settings, "learning_rate", 1e-3)
    init_type: InitType = other_default(Settings, "init_type", "kaiming")
    epochs: int = other_default(Settings, "epochs", 100)
    samples: int = other_default(Settings, "samples", 50)

    channels: int = setting(1, "channels of the images: 1 grey, 3 RGB; as the data have", least=1)
    classes: int = setting(10, "kinds of images that labels tell apart; as the data have", least=1)
    conditional: bool = setting(False, "give both networks the label (Mirza 2014)")
    latent_dim: int = setting(32, "numbers of noise an image or a style is made of", least=1)
    ngf: int = setting(
        128, "width of the generator's narrowest hidden layer", least=1, most=MOST_FILTERS
    )
    ndf: int = setting(
        128, "width of the discriminator's narrowest hidden layer", least=1, most=MOST_FILTERS
    )
    discriminator_rate: float = setting(1.0, "D's learning rate, as a multiple of G's")
    gan_mode: Literal["minimax", "vanilla", "lsgan"] = setting(
        "vanilla", "adversarial loss; minimax: G minimises log(1 - D), vanilla: -log D"
    )

    def check(self) -> None:
        """Refuse a rate no optimiser takes."""
        expect(
            self.discriminator_rate > 0, "discriminator_rate", "above 0", self.discriminator_rate
        )


@dataclass(frozen=True)
class DCGANConfig(GANConfig):
    """The same of convolutions (Radford et al. 2016)."""

    model: ClassVar[str] = "dcgan"

    size: int = other_default(Settings, "size", 64)
    batch_size: int = other_default(Settings, "batch_size", 128)
    learning_rate: float = other_default(Settings, "learning_rate", 2e-4)
    init_type: InitType = other_default(Settings, "init_type", "normal")
    channels: int = other_default(GANConfig, "channels", 3)
    latent_dim: int = other_default(GANConfig, "latent_dim", 100)
    ngf: int = other_default(GANConfig, "ngf", 64)
    ndf: int = other_default(GANConfig, "ndf", 64)

    def check(self) -> None:
        """Refuse images that cannot be halved to 4x4."""
        super().check()
        check_square(self)


@dataclass(frozen=True)
class LSGANConfig(DCGANConfig):
    """DCGAN's networks under least squares (Mao et al. 2017)."""

    model: ClassVar[str] = "lsgan"

    gan_mode: Literal["lsgan"] = setting("lsgan", "adversarial loss")


@dataclass(frozen=True)
class WGANConfig(DCGANConfig):
    """DCGAN's networks, D a critic (Arjovsky et al. 2017); the defaults are WGAN-GP's.

    Gulrajani et al. 2017 train with Adam (0, 0.9) at 1e-4; with gan_mode wgan, Arjovsky et al. with
    RMSProp at 5e-5: give `--gan-mode wgan --learning-rate 5e-5`; it has no betas.
    """

    model: ClassVar[str] = "wgan"

    batch_size: int = other_default(Settings, "batch_size", 64)
    learning_rate: float = other_default(Settings, "learning_rate", 1e-4)
    beta1: float = other_default(Settings, "beta1", 0.0)
    beta2: float = other_default(Settings, "beta2", 0.9)
    gan_mode: Literal["wgan", "wgan-gp"] = setting(  # type: ignore[assignment]
        "wgan-gp", "how the critic is kept smooth: wgan clips weights, wgan-gp penalises slopes"
    )
    critic_steps: int = setting(5, "updates of the critic for one of the generator", least=1)
    clip: float = setting(0.01, "largest weight of the critic, with gan_mode wgan")
    lambda_gp: float = setting(
        10.0, "weight of the gradient penalty, with gan_mode wgan-gp", least=0, most=HEAVIEST
    )

    @property
    def penalised(self) -> bool:
        """Whether the critic's loss has a gradient penalty (Gulrajani et al. 2017)."""
        return self.gan_mode == "wgan-gp"

    def check(self) -> None:
        """Refuse to clip every weight to nothing."""
        super().check()
        expect(self.clip > 0, "clip", "above 0", self.clip)


@dataclass(frozen=True)
class CycleGANConfig(FacadeSettings):
    """Two generators and two discriminators that learn from unpaired images (Zhu et al. 2017)."""

    model: ClassVar[str] = "cyclegan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "channels", "n_blocks", "ngf", "ndf", "n_layers", "norm",
    )  # fmt: skip
    networks: ClassVar[tuple[str, ...]] = ("generator_AtoB", "generator_BtoA")
    # What the PatchGAN and the translator ask of a config, and is never otherwise here.
    conditional: ClassVar[bool] = False
    colours: ClassVar[str] = "rgb"

    channels: int = setting(3, "channels of the images: 1 grey, 3 RGB; as the data have", least=1)
    direction: Direction = setting("AtoB", "which generator translates and is measured; both learn")
    n_blocks: int = setting(9, "residual blocks of a generator; 6 for 128x128", least=1)
    ngf: int = setting(64, "filters in a generator's first layer", least=1, most=MOST_FILTERS)
    ndf: int = setting(64, "filters in a discriminator's first layer", least=1, most=MOST_FILTERS)
    n_layers: int = setting(
        3, "strided layers of the PatchGANs, 1 to 5; 0: the 1x1 PixelGAN", least=0, most=5
    )
    norm: Norm = setting("instance", "normalisation in all four networks")
    gan_mode: Literal["vanilla", "lsgan"] = setting("lsgan", "adversarial loss")
    lambda_cycle: float = setting(10.0, "weight of the cycle losses", least=0, most=HEAVIEST)
    lambda_identity: float = setting(
        0.5, "weight of the identity losses, times lambda_cycle", least=0, most=HEAVIEST
    )
    pool_size: int = setting(
        50, "generated images of the past that a discriminator is shown", least=0, most=10**4
    )

    @property
    def input_channels(self) -> int:
        """Channels of either generator's input image."""
        return self.channels

    @property
    def target_channels(self) -> int:
        """Channels of either generator's image."""
        return self.channels

    def check(self) -> None:
        """Refuse images that the generator cannot halve twice."""
        for side in self.shape:
            expect(side % 4 == 0, "size, height, width", "multiples of 4", side)


@dataclass(frozen=True)
class StarGANConfig(FacadeSettings):
    """One generator for many domains and the styles within them (StarGAN v2, Choi et al. 2020)."""

    model: ClassVar[str] = "stargan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "domains", "latent_dim", "mapping_dim", "style_dim",
        "ngf", "max_filters",
    )  # fmt: skip
    networks: ClassVar[tuple[str, ...]] = ("average",)
    decays: ClassVar[bool] = False
    # What the translator asks of a config, and is never otherwise here.
    input_channels: ClassVar[int] = 3
    colours: ClassVar[str] = "rgb"

    batch_size: int = other_default(Settings, "batch_size", 8)
    learning_rate: float = other_default(Settings, "learning_rate", 1e-4)
    beta1: float = other_default(Settings, "beta1", 0.0)
    beta2: float = other_default(Settings, "beta2", 0.99)
    init_type: InitType = other_default(Settings, "init_type", "kaiming")
    domains: tuple[str, ...] = setting((), "names of the domains; as the data have")
    latent_dim: int = other_default(GANConfig, "latent_dim", 16)
    mapping_dim: int = setting(512, "width of the mapping network", least=1)
    style_dim: int = setting(64, "numbers in a style code", least=1)
    mapping_rate: float = setting(0.01, "the mapping network's learning rate, times the others'")
    weight_decay: float = setting(1e-4, "pull of all weights towards 0", least=0)
    ema: float = setting(0.999, "share of the averaged networks that a step keeps")
    ngf: int = setting(
        64, "filters in the first layer of G, D and the style encoder", least=1, most=MOST_FILTERS
    )
    max_filters: int = setting(512, "most filters of a layer", least=1)
    lambda_style: float = setting(1.0, "weight of the style reconstruction", least=0, most=HEAVIEST)
    lambda_diversity: float = setting(
        1.0,
        "weight of the diversity loss at first; it falls to 0 over the training",
        least=0,
        most=HEAVIEST,
    )
    lambda_cycle: float = setting(1.0, "weight of the cycle loss", least=0, most=HEAVIEST)
    lambda_r1: float = setting(
        1.0, "weight of R1, the penalty on D's gradient at real images", least=0, most=HEAVIEST
    )

    @property
    def penalised(self) -> bool:
        """True: D's loss has R1."""
        return True

    def check(self) -> None:
        """Refuse images that cannot be halved to 4x4, and rates no update is made of."""
        check_square(self)
        expect(0 <= self.ema < 1, "ema", "at least 0 and below 1", self.ema)
        expect(0 < self.mapping_rate <= 1, "mapping_rate", "above 0, at most 1", self.mapping_rate)

    def diversity_at(self, epoch: int) -> float:
        """Return the diversity loss's weight in `epoch`, counted from 1: falling to 0 at the end.

        Linear as in the reference, there by iterations, here by whole epochs.
        """
        return self.lambda_diversity * (1 - (epoch - 1) / self.epochs)

    def changed_since(self, before: Self, epoch: int) -> list[str]:
        """Say what of the schedule is other in `epoch` than the settings before had it."""
        weight = self.diversity_at(epoch)
        own = [f"the diversity loss's weight goes on at {weight:.2g}"]
        return super().changed_since(before, epoch) + own * (before.epochs != self.epochs)


# Each has the presets of pix2pix: quick, about a minute on two CPU cores; cpu, what a laptop does
# in a sitting; paper, as its paper has it.
GAN_PRESETS = {"quick": GANConfig(epochs=60), "cpu": GANConfig(), "paper": GANConfig(epochs=200)}
DIGITS: dict[str, Any] = {  # 16x16, grey
    "size": 16, "channels": 1, "ngf": 16, "ndf": 16, "latent_dim": 16, "batch_size": 32,
    "learning_rate": 1e-3, "epochs": 12,
}  # fmt: skip
HALF: dict[str, Any] = {"size": 32, "ngf": 32, "ndf": 32, "batch_size": 64}
DCGAN_PRESETS = {
    "quick": DCGANConfig(**DIGITS), "cpu": DCGANConfig(**HALF), "paper": DCGANConfig(),
}  # fmt: skip
LSGAN_PRESETS = {
    "quick": LSGANConfig(**DIGITS), "cpu": LSGANConfig(**HALF), "paper": LSGANConfig(),
}  # fmt: skip
WGAN_PRESETS = {
    "quick": WGANConfig(size=16, channels=1, ngf=16, ndf=16, epochs=20),
    "cpu": WGANConfig(**HALF),
    "paper": WGANConfig(),
}
CYCLEGAN_PRESETS = {
    "quick": CycleGANConfig(
        size=32, n_blocks=3, ngf=16, ndf=16, n_layers=2, epochs=4, facades=120, save_every=2
    ),
    "cpu": CycleGANConfig(size=64, n_blocks=6, ngf=32, ndf=32, epochs=15, save_every=5),
    "paper": CycleGANConfig(),
}  # fmt: skip
STARGAN_PRESETS = {
    "quick": StarGANConfig(
        size=32, jitter_size=32, ngf=16, max_filters=64, style_dim=16, mapping_dim=64, batch_size=4,
        learning_rate=5e-4, mapping_rate=0.1, ema=0.99, lambda_diversity=2.0, epochs=4, facades=120,
        save_every=2,
    ),
    "cpu": StarGANConfig(
        size=64, jitter_size=64, ngf=32, max_filters=128, style_dim=32, mapping_dim=128,
        learning_rate=5e-4, mapping_rate=0.1, ema=0.995, lambda_diversity=2.0,
        epochs=30,
    ),
    "paper": StarGANConfig(),
}  # fmt: skip
