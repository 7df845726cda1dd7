"""The settings of pix2pix with their defaults, and its presets."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from pix2pix_ms.config.settings import (
    Colours,
    Direction,
    FacadeSettings,
    Norm,
    Upsampling,
    expect,
    setting,
)

GanMode = Literal["vanilla", "lsgan", "wgan-gp"]
PixelLoss = Literal["l1", "l2"]
KeepBest = Literal["l1", "psnr", "ssim", "kid"]
Generator = Literal["unet", "resnet"]

LAB = (1, 2, "AtoB")  # channels and direction of colourisation: L to a and b


@dataclass(frozen=True)
class Config(FacadeSettings):
    """The settings of pix2pix; the defaults are the recipe of the paper, section 6.2."""

    model: ClassVar[str] = "pix2pix"
    architecture: ClassVar[tuple[str, ...]] = (
        "generator", "levels", "n_blocks", "size", "height", "width", "input_channels",
        "target_channels", "skips", "upsampling", "ngf", "ndf", "n_layers", "conditional", "norm",
    )  # fmt: skip

    input_channels: int = setting(
        3, "channels of the input image: 1 grey, 3 RGB, one more with alpha; as in the data",
        least=1, most=4,
    )  # fmt: skip
    target_channels: int = setting(3, "channels of the target image, likewise", least=1, most=4)
    colours: Colours = setting(
        "rgb", "lab: the input is the target's lightness, its colours are learned; as in the data"
    )
    direction: Direction = setting("AtoB", "AtoB: input_images to target_images; BtoA: back")

    generator: Generator = setting(
        "unet", "the paper's U-Net, or the reference's ResNet, of images of any multiple of 4"
    )
    n_blocks: int = setting(9, "residual blocks of a ResNet; 6 for 128x128", least=1)
    levels: int | None = setting(None, "U-Net levels; unless given: to 1x1 pixel", least=2, most=14)
    skips: bool = setting(True, "pass features across the U-Net; no: an encoder-decoder")
    upsampling: Upsampling = setting(
        "transposed",
        "composed: resize, then convolve 3x3, as one 4x4 kernel; no weave; inner: not the last",
    )
    ngf: int = setting(64, "filters in the generator's first layer", least=1)
    ndf: int = setting(64, "filters in the discriminator's first layer", least=1)
    n_layers: int = setting(3, "strided layers of the PatchGAN; 0: 1x1 PixelGAN", least=0, most=5)
    keep_best: KeepBest | None = setting(
        None, "keep the best checkpoint beside the last, by a held-out measure: l1, psnr, ssim, kid"
    )
    conditional: bool = setting(True, "show D the input image too; no: only the image it judges")
    norm: Norm = setting("batch", "normalisation in both networks")
    dropout: bool = setting(True, "dropout 0.5 in the first decoder blocks, or a ResNet's blocks")

    gan_mode: GanMode = setting("vanilla", "adversarial loss")
    gan_weight: float = setting(1.0, "weight of the adversarial loss; 0: no discriminator", least=0)
    lambda_gp: float = setting(10.0, "weight of gan_mode wgan-gp's gradient penalty", least=0)
    pixel_loss: PixelLoss = setting("l1", "distance between generated and target image")
    lambda_l1: float = setting(100.0, "weight of that distance", least=0)
    ema: float = setting(
        0.0, "decay of an average of G's weights, used to translate; 0: none", least=0, below=1
    )

    @property
    def chosen_by(self) -> str | None:
        return self.keep_best

    @property
    def penalised(self) -> bool:
        """Whether D's loss has a gradient penalty (Gulrajani et al. 2017)."""
        return self.gan_mode == "wgan-gp" and self.gan_weight > 0

    def check(self) -> None:
        trains = self.gan_weight > 0 or self.lambda_l1 > 0
        expect(trains, "lambda_l1", "above 0 where gan_weight is 0", 0)
        alone = self.gan_mode != "wgan-gp" or self.norm != "batch"
        needed = "instance or none where gan_mode is wgan-gp, whose penalty is of single images"
        expect(alone, "norm", needed, self.norm)
        if self.colours == "lab":
            found = (self.input_channels, self.target_channels, self.direction)
            needed = "1, 2 and AtoB where colours is lab"
            names = "input_channels, target_channels, direction"
            expect(found == LAB, names, needed, ", ".join(map(str, found)))
        self.check_shape()

    def check_shape(self) -> None:
        """Refuse a height or width that the generator cannot halve as often as it must."""
        if self.generator == "resnet":
            for side in self.shape:
                expect(side % 4 == 0, "size, height, width", "multiples of 4 for a ResNet", side)
            plain = self.skips and self.levels is None
            needed = "left alone where generator is resnet: they are the U-Net's"
            expect(plain, "skips, levels", needed, f"{self.skips}, {self.levels}")
            return
        alone = self.n_blocks != Config.n_blocks
        expect(not alone, "n_blocks", "generator resnet beside it", f"{self.n_blocks} alone")
        stride = 2**self.depth
        deepest = min(int(math.log2(side & -side)) for side in self.shape)  # halves both sides
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
    def depth(self) -> int:
        """Levels of the U-Net: as set, or as many as halve the shorter side to one pixel."""
        return self.levels if self.levels is not None else int(math.log2(min(self.shape)))


PRESETS: dict[str, Config] = {
    # To see the whole thing work: 64x64, narrow, a minute and a half on two CPU cores. In so few
    # steps a high rate, least squares, composed upsampling and an average make the better pictures
    # (KID 162 in place of 283, against renderings no setting was chosen by). The last layer is
    # learned whole, for a composed kernel cannot draw the renderings' lines of one pixel.
    "quick": Config(
        size=64, ngf=16, ndf=32, n_layers=2, epochs=11, facades=240, save_every=4,
        upsampling="inner", ema=0.999, gan_mode="lsgan", learning_rate=1.6e-3,
    ),
    # Real facades in some eight minutes on two CPU cores: half the paper's size and width. At that
    # size a patch of 34 pixels is what 70 are at the paper's; KID on photos held out of train after
    # 20 epochs is 162 with it, 205 with 70. Composed upsampling leaves no weave. Least squares at
    # twice the rate and a tenth of L1: frames and panes after 15 epochs, where L1's full weight
    # leaves a brown blur (benchmarks/PICTURES.md).
    "cpu": Config(
        size=128, ngf=32, ndf=32, n_layers=2, epochs=15, save_every=5,
        upsampling="composed", ema=0.999, gan_mode="lsgan", learning_rate=4e-4,
        lambda_l1=10.0,
    ),
    # Isola et al. 2017, facades: 256x256, 200 epochs; the decay over the second half is that of
    # the authors' PyTorch code.
    "paper": Config(),
}  # fmt: skip


# Half the paper's size and width. Five levels, to 4x4 pixels, so that it ships: the two below hold
# 6 of 10 million weights. Batches, so that the moving statistics are close to those the network
# learned with; Adam as is usual for classifiers, without the low beta1 a GAN needs.
SEGMENTER = Config(
    size=128, levels=5, ngf=32, dropout=False, batch_size=4, learning_rate=1e-3, beta1=0.9,
    epochs=40,
)  # fmt: skip
