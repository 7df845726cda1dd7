"""Exported weights as safetensors: half the size, and no code in the file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from pix2pix_ms.errors import Pix2PixError

SUFFIX = ".safetensors"
# Maps a flat 3x3 kernel to its convolution with a 2x2 box, flat 4x4: float32 [9, 16].
BOX = np.kron(*[np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], np.float32)] * 2)
SUM = "sha256"  # in the file's metadata; older exports have none


def write(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays by name: kernels as float16; vectors, such as small variances, as float32."""
    halved = {
        name: np.ascontiguousarray(array, np.float16 if array.ndim > 1 else np.float32)
        for name, array in arrays.items()
    }
    save_file(halved, path, {SUM: sum_of(halved)})


def sum_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of arrays and their names, in any order."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + arrays[name].tobytes())
    return found.hexdigest()


def read(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name, as float32.

    Raises:
        Pix2PixError: if the file is damaged or has another format.
    """
    try:
        with safe_open(path, "numpy") as file:
            expected = (file.metadata() or {}).get(SUM)
        arrays = load_file(path)
        if {array.dtype.name for array in arrays.values()} - {"float16", "float32"}:
            raise ValueError("its numbers are of another type than written")
        if expected not in (None, sum_of(arrays)):
            raise ValueError("its checksum is another")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Pix2PixError(
            f"{path}: expected weights as {SUFFIX}, found a damaged file ({error}); copy it again"
        ) from error
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def fold(weight: np.ndarray) -> np.ndarray:
    """Return the 4x4 kernel, [in, out, 4, 4], of a composed 3x3 one, [in, out, 3, 3].

    Computed in double precision, so that it is the nearest float32.
    """
    composed = weight.reshape(-1, 9).astype(np.float64) @ BOX
    return composed.reshape(*weight.shape[:2], 4, 4).astype(np.float32)
