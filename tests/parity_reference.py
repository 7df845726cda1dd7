"""The reference: pix2pix as its authors wrote it, in plain PyTorch, on our weights and masks.

`python tests/parity_reference.py` (after `make parity` has installed PyTorch) prints the numbers
that `tests/parity.json` stores; `tests/test_parity.py` holds the package to them.
"""

import json
import sys
from collections.abc import Callable

import numpy as np
import torch
from test_parity import CASES, batches
from torch import nn
from torch.nn import functional

from pix2pix_ms.config import Config
from pix2pix_ms.device import Stream
from pix2pix_ms.pix2pix import Pix2Pix


def norm_layer(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.Identity()


class Block(nn.Module):
    """UnetSkipConnectionBlock of the reference, from the outermost inwards."""

    def __init__(self, config: Config, widths: list[int], level: int) -> None:
        super().__init__()
        bias = config.norm == "instance"
        self.outermost, self.innermost = level == 0, level == config.depth - 1
        before = widths[level - 1] if level else 3
        self.down = nn.Conv2d(before, widths[level], 4, 2, 1, bias=bias)
        plain = self.outermost or self.innermost
        self.down_norm = nn.Identity() if plain else norm_layer(config.norm, widths[level])
        inner = widths[level] * (1 if self.innermost else 2)
        self.up = nn.ConvTranspose2d(inner, before, 4, 2, 1, bias=bias or self.outermost)
        self.up_norm = nn.Identity() if self.outermost else norm_layer(config.norm, before)
        self.sub = None if self.innermost else Block(config, widths, level + 1)

    def forward(self, x: torch.Tensor, masks: dict[int, torch.Tensor]) -> torch.Tensor:
        h = self.down_norm(self.down(x if self.outermost else functional.leaky_relu(x, 0.2)))
        h = functional.relu(h) if self.sub is None else functional.relu(self.sub(h, masks))
        h = self.up_norm(self.up(h))
        if self.outermost:
            return torch.tanh(h)
        if h.shape[-1] in masks:
            h = h * masks[h.shape[-1]]
        return torch.cat([x, h], 1)


def discriminator(config: Config) -> nn.Sequential:
    """NLayerDiscriminator of the reference."""
    bias = config.norm == "instance"
    layers: list[nn.Module] = [nn.Conv2d(6, config.ndf, 4, 2, 1), nn.LeakyReLU(0.2)]
    width = config.ndf
    for layer in range(1, config.n_layers + 1):
        after = config.ndf * min(2**layer, 8)
        stride = 2 if layer < config.n_layers else 1
        layers += [nn.Conv2d(width, after, 4, stride, 1, bias=bias), norm_layer(config.norm, after)]
        layers += [nn.LeakyReLU(0.2)]
        width = after
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))


def generator_names(block: Block, config: Config) -> dict[str, torch.nn.Parameter]:
    """The reference generator's parameters under our names."""
    names: dict[str, torch.nn.Parameter] = {}
    level: Block | None = block
    depth = 0
    while level is not None:
        up = config.depth - 1 - depth
        places = {f"downs.{depth}": (level.down, level.down_norm)}
        places[f"ups.{up}"] = (level.up, level.up_norm)
        for place, (conv, norm) in places.items():
            names |= ours(f"generator.{place}.conv", conv) | ours(f"generator.{place}.norm", norm)
        level, depth = level.sub, depth + 1
    return names


def ours(prefix: str, layer: nn.Module) -> dict[str, torch.nn.Parameter]:
    renamed = {"weight": "gamma", "bias": "beta"} if isinstance(layer, nn.BatchNorm2d) else {}
    return {
        f"{prefix}.{renamed.get(name, name)}": value for name, value in layer.named_parameters()
    }


def discriminator_names(network: nn.Sequential) -> dict[str, torch.nn.Parameter]:
    convs = [m for m in network if isinstance(m, nn.Conv2d)]
    norms = [m for m in network if not isinstance(m, nn.Conv2d | nn.LeakyReLU)]
    names = ours("discriminator.first", convs[0])
    for number, (conv, norm) in enumerate(zip(convs[1:-1], norms, strict=True)):
        names |= ours(f"discriminator.layers.{number}.conv", conv)
        names |= ours(f"discriminator.layers.{number}.norm", norm)
    return names | ours("discriminator.last", convs[-1])


class Adam:
    """Adam as Kingma & Ba write it at the end of section 2, which is MindSpore's.

    PyTorch adds epsilon to the bias-corrected root, MindSpore to the plain one: where gradients
    are tiny the two differ by up to 74 % a step, which is not what is compared here.
    """

    def __init__(self, network: nn.Module, config: Config) -> None:
        self.parameters, self.config, self.steps = list(network.parameters()), config, 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]

    @torch.no_grad()
    def step(self, loss: torch.Tensor) -> None:
        b1, b2 = self.config.beta1, self.config.beta2
        gradients = torch.autograd.grad(loss, self.parameters, retain_graph=True)
        self.steps += 1
        rate = self.config.learning_rate * (1 - b2**self.steps) ** 0.5 / (1 - b1**self.steps)
        for p, g, (m, v) in zip(self.parameters, gradients, self.moments, strict=True):
            m.mul_(b1).add_(g, alpha=1 - b1)
            v.mul_(b2).addcmul_(g, g, value=1 - b2)
            p.sub_(rate * m / (v.sqrt() + 1e-8))


def adversarial(mode: str) -> Callable[[torch.Tensor, float], torch.Tensor]:
    loss = functional.binary_cross_entropy_with_logits if mode == "vanilla" else functional.mse_loss
    return lambda logits, wanted: loss(logits, torch.full_like(logits, wanted))


def reference(config: Config) -> dict[str, list[float] | dict[str, float]]:
    """Train the reference for ten steps and return its losses and parameter norms."""
    model = Pix2Pix(config)
    g = Block(config, [config.ngf * min(2**i, 8) for i in range(config.depth)], 0)
    d = discriminator(config)
    names = generator_names(g, config) | discriminator_names(d)
    start = {p.name: p.asnumpy() for p in model.generator.trainable_params()}
    start |= {p.name: p.asnumpy() for p in model.discriminator.trainable_params()}
    assert start.keys() == names.keys(), start.keys() ^ names.keys()
    with torch.no_grad():
        for name, value in names.items():
            value.copy_(torch.from_numpy(start[name].copy()))
    optim_g, optim_d = Adam(g, config), Adam(d, config)
    gan = adversarial(config.gan_mode)
    losses = []
    for step, (x_np, y_np) in enumerate(batches(config), 1):
        drawn = model.generator.masks(
            config.batch_size, config.size, config.seed, Stream.DROPOUT, step
        )
        masks = {mask.shape[-1]: torch.from_numpy(mask.asnumpy()) for mask in drawn}
        x, y = torch.from_numpy(x_np), torch.from_numpy(y_np)
        generated = g(x, masks)

        fake = gan(d(torch.cat([x, generated.detach()], 1)), 0.0)
        real = gan(d(torch.cat([x, y], 1)), 1.0)
        optim_d.step((fake + real) * 0.5)

        towards = gan(d(torch.cat([x, generated], 1)), 1.0)
        distance = (functional.l1_loss if config.pixel_loss == "l1" else functional.mse_loss)(
            generated, y
        )
        optim_g.step(towards + distance * config.lambda_l1)
        losses.append([float(v.detach()) for v in (real, fake, towards, distance)])
    moved = {
        name: float(np.linalg.norm(value.detach().numpy() - start[name]))
        for name, value in names.items()
    }
    return {"losses": losses, "moved": moved}


def main() -> None:
    """Print the reference for every case of the test."""
    torch.set_num_threads(1)
    found = {name: reference(config) for name, config in CASES.items()}
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
