"""The settings of pix2pix's relatives, with the defaults of their papers, and their presets."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pix2pix_ms.config.settings import (
    Direction,
    FacadeSettings,
    InitType,
    Norm,
    Settings,
    expect,
    setting,
)


def halvings(config: Settings, side: int) -> int:
    """Return how often to halve images until their shorter side has `side` pixels."""
    return int(math.log2(max(min(config.shape) // side, 1)))


def check_square(config: Settings) -> None:
    """Raise Pix2PixError for images that cannot be halved to 4x4."""
    for side in config.shape:
        square = side in [2**power for power in range(3, 11)] and side == config.size
        expect(square, "size, height, width", "one power of 2 from 8 to 1024", side)


@dataclass(frozen=True)
class GANConfig(Settings):
    """GAN of fully connected layers, conditional or not (Goodfellow 2014, Mirza 2014)."""

    model: ClassVar[str] = "gan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "channels", "latent_dim", "classes", "conditional", "ngf", "ndf",
    )  # fmt: skip

    grows: ClassVar[float] = 1
    decays: ClassVar[bool] = False

    size: int = 8
    mirror: bool = False
    batch_size: int = 64
    learning_rate: float = 1e-3
    init_type: InitType = "kaiming"
    epochs: int = 100
    samples: int = 50

    channels: int = setting(1, "channels of the images: 1 grey, 3 RGB; as in the data", least=1)
    classes: int = setting(10, "number of labels; as in the data", least=1)
    conditional: bool = setting(False, "give both networks the label (Mirza 2014)")
    latent_dim: int = setting(32, "numbers of noise an image or a style is made from", least=1)
    ngf: int = setting(128, "width of the generator's narrowest hidden layer", least=1)
    ndf: int = setting(128, "width of the discriminator's narrowest hidden layer", least=1)
    discriminator_rate: float = setting(1.0, "D's learning rate, as a multiple of G's", above=0)
    gan_mode: Literal["minimax", "vanilla", "lsgan"] = setting(
        "vanilla", "adversarial loss; minimax: G minimises log(1 - D), vanilla: -log D"
    )


@dataclass(frozen=True)
class DCGANConfig(GANConfig):
    """GAN of convolutions (Radford et al. 2016)."""

    model: ClassVar[str] = "dcgan"

    size: int = 64
    batch_size: int = 128
    learning_rate: float = 2e-4
    init_type: InitType = "normal"
    channels: int = 3
    latent_dim: int = 100
    ngf: int = 64
    ndf: int = 64

    check = check_square


@dataclass(frozen=True)
class LSGANConfig(DCGANConfig):
    """DCGAN with the least-squares loss (Mao et al. 2017)."""

    model: ClassVar[str] = "lsgan"

    gan_mode: Literal["lsgan"] = setting("lsgan", "adversarial loss")


@dataclass(frozen=True)
class WGANConfig(DCGANConfig):
    """DCGAN's generator and a critic (Arjovsky et al. 2017); the defaults are WGAN-GP's.

    Gulrajani et al. 2017 train with Adam (0, 0.9) at 1e-4, Arjovsky et al. with RMSProp at 5e-5:
    give `--gan-mode wgan --learning-rate 5e-5`; RMSProp has no betas.
    """

    model: ClassVar[str] = "wgan"

    batch_size: int = 64
    learning_rate: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.9
    gan_mode: Literal["wgan", "wgan-gp"] = setting(  # type: ignore[assignment]
        "wgan-gp", "what limits the critic's slope: wgan clips weights, wgan-gp penalises slopes"
    )
    critic_steps: int = setting(5, "updates of the critic for one of the generator", least=1)
    clip: float = setting(0.01, "largest weight of the critic, with gan_mode wgan", above=0)
    lambda_gp: float = setting(10.0, "weight of gan_mode wgan-gp's gradient penalty", least=0)

    @property
    def penalised(self) -> bool:
        return self.gan_mode == "wgan-gp"


@dataclass(frozen=True)
class CycleGANConfig(FacadeSettings):
    """Two generators and two discriminators trained on unpaired images (Zhu et al. 2017)."""

    model: ClassVar[str] = "cyclegan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "channels", "n_blocks", "upsampling", "ngf", "ndf", "n_layers",
        "norm",
    )  # fmt: skip
    networks: ClassVar[tuple[str, ...]] = ("generator_AtoB", "generator_BtoA")
    # Constants here; networks and the translator read them from any config.
    conditional: ClassVar[bool] = False
    dropout: ClassVar[bool] = False
    colours: ClassVar[str] = "rgb"

    channels: int = setting(3, "channels of the images: 1 grey, 3 RGB; as in the data", least=1)
    direction: Direction = setting("AtoB", "which generator translates and is measured; both learn")
    n_blocks: int = setting(9, "residual blocks of a ResNet; 6 for 128x128", least=1)
    upsampling: Literal["transposed", "composed"] = setting(
        "transposed", "composed: resize, then convolve 3x3, as one 4x4 kernel; no weave"
    )
    ngf: int = setting(64, "filters in a generator's first layer", least=1)
    ndf: int = setting(64, "filters in a discriminator's first layer", least=1)
    n_layers: int = setting(3, "strided layers of the PatchGANs; 0: 1x1 PixelGAN", least=0, most=5)
    norm: Norm = setting("instance", "normalisation in all four networks")
    gan_mode: Literal["vanilla", "lsgan"] = setting("lsgan", "adversarial loss")
    lambda_cycle: float = setting(10.0, "weight of the cycle losses", least=0)
    lambda_identity: float = setting(0.5, "weight of identity losses, times lambda_cycle", least=0)
    pool_size: int = setting(50, "past generated images to show the discriminators", least=0)

    @property
    def input_channels(self) -> int:
        return self.channels

    target_channels = input_channels

    def check(self) -> None:
        for side in self.shape:
            expect(side % 4 == 0, "size, height, width", "multiples of 4", side)


@dataclass(frozen=True)
class StarGANConfig(FacadeSettings):
    """One generator for many domains and the styles within them (StarGAN v2, Choi et al. 2020)."""

    model: ClassVar[str] = "stargan"
    architecture: ClassVar[tuple[str, ...]] = (
        "size", "height", "width", "domains", "latent_dim", "mapping_dim", "style_dim",
        "bottleneck", "ngf", "max_filters",
    )  # fmt: skip
    networks: ClassVar[tuple[str, ...]] = ("average",)
    decays: ClassVar[bool] = False
    # Constants here, as styles are colours and R1 is always on; others read them from any config.
    channels: ClassVar[int] = 3
    input_channels: ClassVar[int] = 3
    colours: ClassVar[str] = "rgb"
    penalised: ClassVar[bool] = True

    batch_size: int = 8
    learning_rate: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.99
    init_type: InitType = "kaiming"
    domains: tuple[str, ...] = setting((), "names of the domains; as in the data")
    latent_dim: int = setting(16, "numbers of noise a style is made from", least=1)
    mapping_dim: int = setting(512, "width of the mapping network", least=1)
    style_dim: int = setting(64, "numbers in a style code", least=1)
    mapping_rate: float = setting(
        0.01, "the mapping network's learning rate, times the others'", above=0, most=1
    )
    weight_decay: float = setting(1e-4, "pull of all weights towards 0", least=0)
    ema: float = setting(0.999, "decay of the averaged networks in a step", least=0, below=1)
    bottleneck: int = setting(16, "side of the features in the generator's middle", least=4)
    ngf: int = setting(64, "filters in the first layer of G, D and the style encoder", least=1)
    max_filters: int = setting(512, "most filters in a layer", least=1)
    lambda_style: float = setting(1.0, "weight of the style reconstruction", least=0)
    lambda_diversity: float = setting(
        1.0, "weight of the diversity loss at first; it falls to 0 over the training", least=0
    )
    lambda_cycle: float = setting(1.0, "weight of the cycle loss", least=0)
    lambda_r1: float = setting(1.0, "weight of R1, D's gradient penalty at real images", least=0)

    def check(self) -> None:
        """Refuse images that cannot be halved to 4x4, and crops that translation has no way for."""
        expect(self.fit != "random-crop", "fit", "resize, pad or crop for stargan", self.fit)
        check_square(self)
        power = self.bottleneck.bit_count() == 1
        expect(power, "bottleneck", "a power of 2", self.bottleneck)

    def diversity_at(self, epoch: int) -> float:
        """Return the diversity loss's weight in `epoch`, counted from 1, falling linearly to 0.

        The authors' code lowers it at every iteration instead.
        """
        return self.lambda_diversity * (1 - (epoch - 1) / self.epochs)

    def changed_since(self, before: Self, epoch: int) -> list[str]:
        changed = super().changed_since(before, epoch)
        if before.epochs != self.epochs:
            changed.append(f"the diversity loss's weight goes on at {self.diversity_at(epoch):.2g}")
        return changed


# As for pix2pix: quick takes about a minute on two CPU cores, cpu a sitting on a laptop, and paper
# is the recipe of the model's paper.
GAN_PRESETS = {"quick": GANConfig(epochs=60), "cpu": GANConfig(), "paper": GANConfig(epochs=200)}
DIGITS: dict[str, Any] = {  # 16x16, grey
    "size": 16, "channels": 1, "ngf": 16, "ndf": 16, "latent_dim": 16, "batch_size": 32,
    "learning_rate": 1e-3, "epochs": 12,
}  # fmt: skip
HALF: dict[str, Any] = {"size": 32, "ngf": 32, "ndf": 32, "batch_size": 64}
DCGAN_PRESETS, LSGAN_PRESETS = (
    {"quick": kind(**DIGITS), "cpu": kind(**HALF), "paper": kind()}
    for kind in (DCGANConfig, LSGANConfig)
)
WGAN_PRESETS = {
    "quick": WGANConfig(size=16, channels=1, ngf=16, ndf=16, epochs=20),
    "cpu": WGANConfig(**HALF),
    "paper": WGANConfig(),
}
CYCLEGAN_PRESETS = {
    "quick": CycleGANConfig(
        size=64, n_blocks=2, ngf=16, ndf=16, n_layers=2, upsampling="composed",
        lambda_identity=0.0, learning_rate=1e-3, epochs=8, facades=160, save_every=4,
    ),
    "cpu": CycleGANConfig(
        size=64, n_blocks=6, ngf=32, ndf=32, upsampling="composed", epochs=15, save_every=5
    ),
    "paper": CycleGANConfig(),
}  # fmt: skip
STARGAN_PRESETS = {
    "quick": StarGANConfig(
        size=32, jitter_size=32, bottleneck=32, ngf=16, max_filters=64, style_dim=16,
        mapping_dim=64, batch_size=4, learning_rate=2e-3, mapping_rate=0.1, ema=0.97,
        lambda_cycle=8.0, lambda_diversity=0.2, epochs=4, facades=120, save_every=2,
    ),
    "cpu": StarGANConfig(
        size=64, jitter_size=64, ngf=32, max_filters=128, style_dim=32, mapping_dim=128,
        learning_rate=5e-4, mapping_rate=0.1, ema=0.995, lambda_diversity=2.0,
        epochs=30,
    ),
    "paper": StarGANConfig(),
}  # fmt: skip
