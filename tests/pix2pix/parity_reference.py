"""The reference: pix2pix as its authors wrote it, in plain PyTorch, on our weights and masks.

`PYTHONPATH=. python tests/pix2pix/parity_reference.py` (after `make torch`) prints the numbers that
`tests/pix2pix/parity.json` stores; `tests/pix2pix/test_parity.py` compares the package with them,
and with PyTorch itself where it is installed.
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.reference_networks import discriminator, generator
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.exchange import pytorch
from pix2pix_ms.exchange.pytorch_names import reference_names
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.step import Pix2Pix
from tests.pix2pix.test_parity import CASES, SGD_RATE, batches

Optimiser = Callable[[Iterable[torch.Tensor], Config], torch.optim.Optimizer]


class MindSporeAdam(torch.optim.Optimizer):
    """Adam as Kingma & Ba write it at the end of section 2, which is MindSpore's.

    PyTorch adds epsilon to the bias-corrected root, MindSpore to the plain one: where gradients
    are tiny the two differ by up to 74 % a step, which is not what is compared with this one.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], config: Config) -> None:
        super().__init__(parameters, {})
        self.config, self.steps = config, 0

    @torch.no_grad()
    def step(self) -> None:
        b1, b2 = self.config.beta1, self.config.beta2
        self.steps += 1
        rate = self.config.learning_rate * (1 - b2**self.steps) ** 0.5 / (1 - b1**self.steps)
        for p in self.param_groups[0]["params"]:
            state = self.state[p] or {"m": torch.zeros_like(p), "v": torch.zeros_like(p)}
            state["m"].mul_(b1).add_(p.grad, alpha=1 - b1)
            state["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
            p.sub_(rate * state["m"] / (state["v"].sqrt() + 1e-8))
            self.state[p] = state


def adam(parameters: Iterable[torch.Tensor], config: Config) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, config.learning_rate, (config.beta1, config.beta2))


def sgd(parameters: Iterable[torch.Tensor], _: Config) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, SGD_RATE)


def adversarial(mode: str) -> Callable[[torch.Tensor, float], torch.Tensor]:
    loss = functional.binary_cross_entropy_with_logits if mode == "vanilla" else functional.mse_loss
    return lambda logits, wanted: loss(logits, torch.full_like(logits, wanted))


class Reference:
    """Both networks of the reference with our weights, our masks, and optimisers of choice."""

    def __init__(self, config: Config, optimiser: Optimiser) -> None:
        self.config, self.ours = config, Pix2Pix(config)
        self.g, self.d = generator(config), discriminator(config)
        for theirs, ours in ((self.g, self.ours.generator), (self.d, self.ours.discriminator)):
            state = pytorch.state_dict(ours, config)
            theirs.load_state_dict({name: torch.from_numpy(state[name].copy()) for name in state})
        self.optim_g = optimiser(self.g.parameters(), config)
        self.optim_d = optimiser(self.d.parameters(), config)
        self.gan = adversarial(config.gan_mode)
        self.pixel = functional.l1_loss if config.pixel_loss == "l1" else functional.mse_loss
        self.step = 0

    def named(self, tensors: Callable[[nn.Module], Iterable[tuple[str, Any]]]) -> dict[str, Any]:
        """Their parameters, or what is asked of the networks, under our names."""
        found = {}
        for theirs, ours in ((self.g, self.ours.generator), (self.d, self.ours.discriminator)):
            named = dict(tensors(theirs))
            names = reference_names(ours, self.config)
            found |= {name: named[their] for name, their in names.items() if their in named}
        return found

    def set_masks(self) -> None:
        """Draw the masks of the step at hand as ours does."""
        shape = (self.config.batch_size, self.config.input_channels, *self.config.shape)
        masks = self.ours.generator.masks(shape, self.config.seed, Stream.DROPOUT, self.step)
        self.g.set_masks([torch.from_numpy(mask.asnumpy()) for mask in masks])

    def loss_d(self, x: torch.Tensor, y: torch.Tensor, generated: torch.Tensor) -> Any:
        fake = self.gan(self.d(torch.cat([x, generated.detach()], 1)), 0.0)
        real = self.gan(self.d(torch.cat([x, y], 1)), 1.0)
        return (fake + real) * 0.5, real, fake

    def loss_g(self, x: torch.Tensor, y: torch.Tensor, generated: torch.Tensor) -> Any:
        towards = self.gan(self.d(torch.cat([x, generated], 1)), 1.0)
        distance = self.pixel(generated, y)
        return towards + distance * self.config.lambda_l1, towards, distance

    def train_step(self, x_np: np.ndarray, y_np: np.ndarray) -> list[float]:
        """Update D, then G, and return the four losses in our order."""
        self.step += 1
        self.set_masks()
        x, y = torch.from_numpy(x_np), torch.from_numpy(y_np)
        generated = self.g(x)

        loss, real, fake = self.loss_d(x, y, generated)
        self.optim_d.zero_grad()
        loss.backward()
        self.optim_d.step()

        loss, towards, distance = self.loss_g(x, y, generated)
        self.optim_g.zero_grad()
        loss.backward()
        self.optim_g.step()
        return [float(term.detach()) for term in (real, fake, towards, distance)]

    def weights(self) -> dict[str, np.ndarray]:
        """The weights of both networks, under our names."""
        found = self.named(lambda network: network.named_parameters())
        return {name: weight.detach().numpy() for name, weight in found.items()}

    def moving_statistics(self) -> dict[str, np.ndarray]:
        """What every BatchNorm gathered, under our names."""
        buffers = self.named(lambda network: network.named_buffers())
        return {name: buffer.numpy() for name, buffer in buffers.items()}


def reference(config: Config) -> dict[str, list[list[float]] | dict[str, float]]:
    """Train the reference for ten steps and return its losses and how far weights moved."""
    model = Reference(config, MindSporeAdam)
    start = {name: weight.copy() for name, weight in model.weights().items()}
    losses = [model.train_step(x, y) for x, y in batches(config)]
    moved = {
        name: float(np.linalg.norm(now - start[name])) for name, now in model.weights().items()
    }
    return {"losses": losses, "moved": moved}


def main() -> None:
    """Print the reference for every case of the test."""
    torch.set_num_threads(1)
    found = {name: reference(config) for name, config in CASES.items()}
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
