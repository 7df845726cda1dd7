"""Which networks a loss trains."""

from collections.abc import Callable, Iterable

import mindspore as ms
import numpy as np
from mindspore import Tensor


def trains(loss: Callable[[], Tensor], parameters: Iterable[ms.Parameter]) -> set[str]:
    """Return the networks among whose parameters a loss has a gradient other than 0."""
    parameters = list(parameters)
    gradients = ms.grad(loss, None, ms.ParameterTuple(parameters))()
    return {
        parameter.name.split(".")[0]
        for parameter, gradient in zip(parameters, gradients, strict=True)
        if np.abs(gradient.asnumpy()).max() > 0
    }
