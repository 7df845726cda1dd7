"""Training steps on two releases of MindSpore: `python -m benchmarks.newest PYTHON PYTHON`.

`make newest` gives it the pinned release's Python and that of the newest that pyproject admits.
Each trains every model for the same few compiled steps; printed is how far losses and weights
are apart.
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


def furthest(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference, relative to the largest value."""
    largest = max(float(np.abs(one).max()), 1e-12)
    return float(np.abs(one - other).max()) / largest


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
    print(f"{'':18} losses, and weights after the steps: largest relative difference")
    for model in dict.fromkeys(key.split("/")[0] for key in one):
        names = [key for key in one if key.startswith(f"{model}/") and "/again/" not in key]
        losses = f"{model}/losses"
        weights = max((furthest(one[n], other[n]) for n in names if n != losses), default=0.0)
        same = all(np.array_equal(one[name], other[name]) for name in names)
        found = f"{furthest(one[losses], other[losses]):.1e}  {weights:.1e}"
        print(f"{model:18} {'same bits' if same else found}")


if __name__ == "__main__":
    main(sys.argv[1:])
