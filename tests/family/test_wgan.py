"""The critic: its penalty against PyTorch in float64, its clipping, what it measures."""

from dataclasses import replace
from typing import Any, ClassVar

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.family import WGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.exchange import pytorch
from pix2pix_ms.exchange.pytorch_names import reference_names
from pix2pix_ms.family.gan.wgan import WGAN
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.objectives import gradient_penalty, interpolation_weights
from pix2pix_ms.pix2pix.optimisers import RMSProp
from pix2pix_ms.pix2pix.step import Pix2Pix
from tests.family.points import POINT_NETWORKS
from tests.runs import noise, numbers

NO_TORCH = "PyTorch is not installed; `make torch` installs it"
SMALL: dict[str, Any] = {
    "size": 16, "jitter_size": 16, "channels": 1, "latent_dim": 4, "ngf": 4, "ndf": 4,
    "batch_size": 4, "jit": False,
}  # fmt: skip
POINTS: dict[str, Any] = {
    "size": 8, "jitter_size": 8, "latent_dim": 2, "ngf": 16, "ndf": 32, "init_type": "kaiming",
    "learning_rate": 5e-3,
}  # fmt: skip
PAIRS: dict[str, Any] = {
    "norm": "instance", "gan_mode": "wgan-gp", "ngf": 4, "ndf": 4, "learning_rate": 1e-3,
}  # fmt: skip


class RingWGAN(WGAN):
    networks: ClassVar[tuple[type[nn.Cell], type[nn.Cell]]] = POINT_NETWORKS


def torch_penalty(critic: Any, x: Any, y: Any, generated: Any, interpolation: Any) -> Any:
    """Gulrajani et al. 2017, equation 3, in PyTorch, of a critic that sees x too."""
    import torch

    between = (interpolation * y + (1 - interpolation) * generated).requires_grad_()
    values = critic(torch.cat([x, between], 1)).mean((1, 2, 3)).sum()
    (slope,) = torch.autograd.grad(values, between, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_penalty_and_its_gradient_equal_pytorchs_in_float64(norm: str) -> None:
    """Of the whole PatchGAN: LeakyReLU, instance normalisation, its last convolution."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    from benchmarks.reference_networks import discriminator

    config = preset("quick", **{**PAIRS, "norm": norm, "init_gain": 0.2})
    critic = PatchGAN(config).set_train()
    initialise(critic, config)
    x, y, generated = noise(3, 2, 3, 32, 32, seed=4)
    interpolation = interpolation_weights(x.shape, 0, 1)

    def penalty(x: Tensor, y: Tensor, generated: Tensor) -> Tensor:
        return gradient_penalty(lambda image: critic(x, image), y, generated, interpolation)

    gradient = ms.value_and_grad(penalty, None, critic.trainable_params())
    value, ours = gradient(*map(Tensor, (x, y, generated)))

    theirs = discriminator(config)
    state = pytorch.state_dict(critic, config)
    theirs.load_state_dict({name: torch.from_numpy(each.copy()) for name, each in state.items()})
    theirs.double()
    arrays = (x, y, generated, interpolation.asnumpy())
    expected = torch_penalty(theirs, *(torch.from_numpy(each).double() for each in arrays))
    expected.backward()

    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    names, named = reference_names(critic, config), dict(theirs.named_parameters())
    largest = max(float(p.grad.abs().max()) for p in named.values() if p.grad is not None)
    for p, found in zip(critic.trainable_params(), ours, strict=True):
        wanted = named[names[p.name]].grad
        wanted = np.zeros(p.shape) if wanted is None else wanted.numpy()
        np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-3, atol=1e-5 * largest)


@pytest.mark.parametrize("gan_mode", ["wgan", "wgan-gp"])
def test_each_step_moves_the_critic_and_each_third_the_generator(gan_mode: str) -> None:
    """With weights clipped and batches normalised where single images are not penalised."""
    clips = gan_mode == "wgan"
    model = WGAN(WGANConfig(**SMALL, gan_mode=gan_mode, critic_steps=3, clip=0.02))
    networks = model.generator, model.discriminator
    assert np.abs(numbers(model.discriminator)).max() > 0.02
    moved = []
    for images in noise(6, 4, 1, 16, 16):
        before = [numbers(network) for network in networks]
        model.train_step(images, np.zeros(4, int))
        after = [numbers(network) for network in networks]
        moved.append([np.any(old != new) for old, new in zip(before, after, strict=True)])
        assert (np.abs(after[1]).max() <= np.float32(0.02)) == clips
    assert moved == [[False, True], [False, True], [True, True]] * 2
    assert np.abs(numbers(model.generator)).max() > 0.02
    assert isinstance(model.optim_d, RMSProp if clips else nn.Adam)
    assert any("gamma" in p.name for p in model.discriminator.get_parameters()) == clips


def test_the_critic_measures_the_distance_of_two_points() -> None:
    """G makes one point, the data are another: the distance is known."""
    distance = 3.0
    model = RingWGAN(WGANConfig(**POINTS, critic_steps=1000, batch_size=32))
    last = model.generator.layers[-1]
    last.weight.set_data(Tensor(np.zeros(last.weight.shape, np.float32)))
    real = np.tile(np.array([[distance, 0]], np.float32), (32, 1))
    losses = [model.train_step(real, np.zeros(32, int)) for _ in range(200)]
    estimates = [-each.d_real - each.d_fake for each in losses]
    # With the penalty s d - 10 (s - 1)^2 is largest at the slope s = 1 + d / 20.
    assert np.mean(estimates[-20:]) == pytest.approx(distance * (1 + distance / 20), rel=0.05)
    assert losses[-1].g == -losses[-1].d_fake


def test_ten_steps_of_pix2pix_with_a_penalty_equal_pytorch() -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    from tests.pix2pix import parity_reference as reference
    from tests.pix2pix.test_parity import batches as pairs

    class Penalised(reference.Reference):
        def loss_d(self, x: Any, y: Any, generated: Any) -> Any:
            drawn = interpolation_weights(tuple(y.shape), self.config.seed, max(self.step, 1))
            generated = generated.detach()
            penalty = torch_penalty(self.d, x, y, generated, torch.from_numpy(drawn.asnumpy()))
            real = -self.d(torch.cat([x, y], 1)).mean()
            fake = self.d(torch.cat([x, generated], 1)).mean()
            return (real + fake + self.config.lambda_gp * penalty) / 2, real, fake

    config = Config(**{**PAIRS, "size": 64, "jitter_size": 72, "norm": "none", "n_layers": 2})
    config = replace(config, learning_rate=2e-4, init_gain=0.1, jit=False)
    theirs = Penalised(config, reference.MindSporeAdam)
    theirs.gan = lambda logits, wanted: -logits.mean() if wanted else logits.mean()
    model = Pix2Pix(config)
    expected = [theirs.train_step(x, y) for x, y in pairs(config)]
    losses = [model.train_step(x, y) for x, y in pairs(config)]
    np.testing.assert_allclose(losses, expected, rtol=1e-3, atol=1e-4)
