"""pix2pix as its authors wrote it, trained in PyTorch: `python -m benchmarks.peer FACADES OUT`.

The same networks, objective, schedule and jitter as preset `cpu`, with the paper's patches, in
PyTorch from the first image to the last: it shares with the package the settings and the functions
that score an image. OUT gets `log.csv`, a row an epoch, and `latest_net_G.pth`, which `pix2pix-ms
convert` reads; --save-every keeps `N_net_G.pth` on the way.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from benchmarks.comparison_page import PAPER
from benchmarks.reference_networks import Dropout, discriminator, generator
from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.pix2pix.measures.scores import mean_scores, score

Pairs = list[tuple[Image.Image, Image.Image]]  # label map, photo
LOG = ("epoch", "loss_d", "loss_g_gan", "loss_g_l1")
HELD_OUT = ("held_out_l1", "held_out_psnr", "held_out_ssim", "seconds")


def read_pairs(folder: Path) -> Pairs:
    """Read side-by-side pairs, photo left and label map right."""
    pairs = []
    for path in sorted(folder.iterdir()):
        both = Image.open(path).convert("RGB")
        side = both.height
        photo, label_map = both.crop((0, 0, side, side)), both.crop((side, 0, 2 * side, side))
        pairs.append((label_map, photo))
    return pairs


def resized(image: Image.Image, size: int) -> torch.Tensor:
    """Resize a picture and scale it: float32 [1, 3, size, size] in [-1, 1]."""
    square = image.resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(square, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


def jittered(pairs: Pairs, config: Config) -> Iterator[list[torch.Tensor]]:
    """Yield the pairs in random order: enlarged, cropped and half of them mirrored."""
    room = config.jitter - config.size + 1
    for index in torch.randperm(len(pairs)).tolist():
        top, left, mirror = (int(torch.randint(most, ())) for most in (room, room, 2))
        windows = [
            resized(image, config.jitter)[..., top : top + config.size, left : left + config.size]
            for image in pairs[index]
        ]
        yield [window.flip(3) if mirror else window.contiguous() for window in windows]


def initialise(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02), those of normalisation from N(1, 0.02); biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, float(isinstance(module, nn.BatchNorm2d)), 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def drop_half(generator: nn.Module) -> None:
    """Let every dropout of the generator draw a mask at each pass."""

    def draw(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        module.mask = 2 * torch.bernoulli(torch.full_like(inputs[0], 0.5))

    for module in generator.modules():
        if isinstance(module, Dropout):
            module.register_forward_pre_hook(draw)


class Peer:
    """Both networks, both optimisers and a training step in the order of the authors' code."""

    def __init__(self, config: Config) -> None:
        self.g, self.d = generator(config), discriminator(config)
        initialise(self.g)
        initialise(self.d)
        drop_half(self.g)
        betas = (config.beta1, config.beta2)
        self.optim_g = torch.optim.Adam(self.g.parameters(), config.learning_rate, betas)
        self.optim_d = torch.optim.Adam(self.d.parameters(), config.learning_rate, betas)
        self.config = config

    def adversarial(self, x: torch.Tensor, image: torch.Tensor, wanted: float) -> torch.Tensor:
        """Return how far the discriminator is from giving the wanted answer."""
        logits = self.d(torch.cat((x, image), 1))
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))

    def step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, ...]:
        """Update D, then G; return both losses and G's L1."""
        generated = self.g(x)
        self.d.requires_grad_(True)
        real, fake = self.adversarial(x, y, 1.0), self.adversarial(x, generated.detach(), 0.0)
        loss_d = (real + fake) / 2
        self.optim_d.zero_grad()
        loss_d.backward()
        self.optim_d.step()

        self.d.requires_grad_(False)
        loss_gan, loss_l1 = self.adversarial(x, generated, 1.0), functional.l1_loss(generated, y)
        self.optim_g.zero_grad()
        (loss_gan + self.config.lambda_l1 * loss_l1).backward()
        self.optim_g.step()
        return loss_d.item(), loss_gan.item(), loss_l1.item()

    def set_learning_rate(self, rate: float) -> None:
        """Set both optimisers' learning rate."""
        for optimiser in (self.optim_g, self.optim_d):
            optimiser.param_groups[0]["lr"] = rate

    @torch.no_grad()
    def held_out(self, pairs: Pairs) -> tuple[float, ...]:
        """Score G as the paper runs it, statistics of the image and dropout; teach it nothing."""
        norms = [module for module in self.g.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 0.0
        each = []
        for pair in pairs:
            x, y = (resized(image, self.config.size) for image in pair)
            each.append(score(self.g(x)[0].numpy(), y[0].numpy()))
        for norm in norms:
            norm.momentum = 0.1
        return mean_scores(each)


def train(facades: Path, out: Path, config: Config, save_every: int) -> None:
    """Train for the epochs of the config, then write the generator; on the way if asked."""
    torch.manual_seed(config.seed)
    peer = Peer(config)
    training, held_out = read_pairs(facades / "train"), read_pairs(facades / "val")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*LOG, *HELD_OUT])
        for epoch in range(1, config.epochs + 1):
            began = time.perf_counter()
            peer.set_learning_rate(config.learning_rate_at(epoch))
            losses = np.mean([peer.step(*pair) for pair in jittered(training, config)], axis=0)
            seconds = round(time.perf_counter() - began, 2)
            writer.writerow([epoch, *losses.tolist(), *peer.held_out(held_out), seconds])
            file.flush()
            if save_every and epoch % save_every == 0:
                torch.save(peer.g.state_dict(), out / f"{epoch}_net_G.pth")
    torch.save(peer.g.state_dict(), out / "latest_net_G.pth")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description=__doc__)
    parser.add_argument("facades", type=Path, help="folder with splits train and val")
    parser.add_argument("out", type=Path, help="folder for the log and the generator")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="[those of preset cpu]")
    parser.add_argument("--save-every", type=int, default=0, metavar="EPOCHS")
    return parser


def main() -> None:
    """Read the command line and train."""
    words = parser().parse_args()
    changes = {} if words.epochs is None else {"epochs": words.epochs}
    config = preset("cpu", direction="BtoA", seed=words.seed, **{**PAPER, **changes})
    train(words.facades, words.out, config, words.save_every)


if __name__ == "__main__":
    main()
