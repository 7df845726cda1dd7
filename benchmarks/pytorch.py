"""The PyTorch peers: the same networks and the same step, one generator forward shared by both.

`eager` is PyTorch as people write it, `best` adds the fused Adam, channels-last and huge pages,
`compiled` adds torch.compile to the eager one.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from benchmarks.task import Task

Kind = Literal["eager", "best", "compiled"]


class Generator(nn.Module):
    """The U-Net down to one pixel."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.levels = size.bit_length() - 1
        widths = [width * min(2**level, 8) for level in range(self.levels)]
        last = self.levels - 1
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(zip([3, *widths], widths, strict=False)):
            norm = nn.BatchNorm2d(after) if 0 < level < last else nn.Identity()
            self.downs.append(nn.Sequential(nn.Conv2d(before, after, 4, 2, 1, bias=False), norm))
        for level in reversed(range(self.levels)):
            before = widths[level] * (1 if level == last else 2)
            after = widths[level - 1] if level else 3
            norm = nn.BatchNorm2d(after) if level else nn.Identity()
            conv = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=level == 0)
            self.ups.append(nn.Sequential(conv, norm))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Translate x, [N, 3, H, W]."""
        skips: list[torch.Tensor] = []
        for level, down in enumerate(self.downs):
            x = down(functional.leaky_relu(x, 0.2) if level else x)
            skips.append(x)
        for block, up in enumerate(self.ups):
            x = up(functional.relu(x))
            if 1 <= block <= self.levels - 5:
                x = functional.dropout(x, 0.5, self.training)
            if block < self.levels - 1:
                x = torch.cat((skips[self.levels - 2 - block], x), 1)
        return torch.tanh(x)


def discriminator(width: int) -> nn.Sequential:
    """Return the 70x70 PatchGAN."""
    layers: list[nn.Module] = [nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for level, stride in ((1, 2), (2, 2), (3, 1)):
        before, after = width * 2 ** (level - 1), width * 2**level
        layers += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.BatchNorm2d(after)]
        layers += [nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def laid_out(kind: Kind, module: nn.Module) -> nn.Module:
    """Return a network in the memory format of its kind."""
    return module.to(memory_format=torch.channels_last) if kind == "best" else module


def tensors(kind: Kind, task: Task) -> list[torch.Tensor]:
    """Return x and y in the memory format of the kind."""
    images = [torch.from_numpy(image) for image in task.images()]
    if kind == "best":
        return [image.contiguous(memory_format=torch.channels_last) for image in images]
    return images


def train(kind: Kind, task: Task) -> Callable[[], object]:
    """Return the training step: D on the detached image, then G through the same pass."""
    g = laid_out(kind, Generator(task.size, task.width))
    d = laid_out(kind, discriminator(task.width))
    rates = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": kind == "best"}
    optim_g = torch.optim.Adam(g.parameters(), **rates)
    optim_d = torch.optim.Adam(d.parameters(), **rates)
    x, y = tensors(kind, task)
    judge, forward = (torch.compile(d), torch.compile(g)) if kind == "compiled" else (d, g)

    def adversarial(image: torch.Tensor, wanted: float) -> torch.Tensor:
        logits = judge(torch.cat((x, image), 1))
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))

    def step() -> object:
        generated = forward(x)
        loss_d = (adversarial(y, 1.0) + adversarial(generated.detach(), 0.0)) * 0.5
        optim_d.zero_grad(set_to_none=True)
        loss_d.backward()
        optim_d.step()

        d.requires_grad_(False)
        loss_g = adversarial(generated, 1.0) + 100 * functional.l1_loss(generated, y)
        optim_g.zero_grad(set_to_none=True)
        loss_g.backward()
        optim_g.step()
        d.requires_grad_(True)
        return loss_d.item(), loss_g.item()

    return step


def infer(kind: Kind, task: Task) -> Callable[[], object]:
    """Return the translation of one batch, with moving statistics."""
    g = laid_out(kind, Generator(task.size, task.width)).eval()
    x, _ = tensors(kind, task)
    forward = torch.compile(g) if kind == "compiled" else g

    def call() -> object:
        with torch.inference_mode():
            return forward(x).numpy()

    return call


def product(side: int) -> Callable[[], object]:
    """Return a float32 matrix product of this side."""
    a, out = torch.ones(side, side), torch.empty(side, side)
    return lambda: torch.mm(a, a, out=out)
