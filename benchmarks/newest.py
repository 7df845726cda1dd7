"""Training steps on two releases of MindSpore: `python -m benchmarks.newest PYTHON PYTHON`.

`make newest` gives it the pinned release's Python and that of the newest that pyproject admits.
Each trains every model for the same few compiled steps; printed is how far losses and weights,
with the optimisers' moments, are apart.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
VERSION = "import importlib.metadata as m; print(m.version('mindspore'))"


def trained(python: Path, file: Path) -> dict[str, np.ndarray]:
    """Train every model with one Python; return losses and weights by `model/name`."""
    subprocess.run([python, "-m", "tests.every_model", str(file)], cwd=ROOT, check=True)
    with np.load(file) as found:
        return dict(found)


def apart(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """Return the norm of the difference, relative to the norm; NaN is a loss left out."""
    one, other = (
        np.concatenate([np.nan_to_num(array).astype(np.float64).ravel() for array in arrays])
        for arrays in (ours, theirs)
    )
    return float(np.linalg.norm(one - other) / max(np.linalg.norm(one), 1e-12))


def main(pythons: list[str]) -> None:
    """Print the versions, and by model the largest relative differences."""
    versions = [
        subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=True).stdout
        for python in pythons
    ]
    print("MindSpore", " beside ".join(version.strip() for version in versions))
    with tempfile.TemporaryDirectory() as place:
        one, other = (
            trained(Path(python).absolute(), Path(place) / f"{index}.npz")
            for index, python in enumerate(pythons)
        )
    if one.keys() != other.keys():
        sys.exit(f"not the same arrays: {sorted(one.keys() ^ other.keys())}")
    print(f"{'':18} losses, and all that a checkpoint holds: relative distance")
    for model in dict.fromkeys(key.split("/")[0] for key in one):
        names = [key for key in one if key.startswith(f"{model}/") and "/again/" not in key]
        kinds = [[n for n in names if n.endswith("/losses") == losses] for losses in (True, False)]
        same = all(np.array_equal(one[n], other[n], equal_nan=True) for n in names)
        found = [apart([one[n] for n in kind], [other[n] for n in kind]) for kind in kinds if kind]
        words = "same bits" if same else "  ".join(f"{distance:.1e}" for distance in found)
        print(f"{model:18} {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
