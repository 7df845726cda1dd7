"""A process that tries damaged files, one for each line it reads, and says what came of each.

A line is JSON: the name of a function below, and its arguments. The answer is `fine`, with what the
function returned, `told`, with our own error, or `raised`, with a traceback. It may also die, or
never answer, which is for the other side to see.
"""

import hashlib
import json
import os
import sys
import traceback
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pix2pix_ms  # noqa: F401  (before mindspore: it prepares the process)
from pix2pix_ms.data.download import unpack
from pix2pix_ms.data.images import read_image
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.records import read_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine import pytorch_file
from pix2pix_ms.pix2pix import translate as translation
from pix2pix_ms.training.checkpoints import load_generator
from pix2pix_ms.training.epochs import Trainer
from pix2pix_ms.training.run import RESUMABLE, Run, check_free

translation.open_translator = lru_cache(translation.open_translator)  # type: ignore[assignment]


def translate(image: str, checkpoint: str, out: str) -> str:
    """Translate an image and look whether what is written has its size."""
    (written,) = translation.translate([Path(image)], Path(out), Path(checkpoint))
    height, width = read_image(Path(image)).shape[:2]
    with Image.open(written) as made:
        made.load()
        assert made.size == (width, height)
    return f"{width}x{height}"


def prepared(folder: str, out: str) -> str:
    """Prepare a folder of images side by side and look whether the pairs are their halves."""
    (record,) = prepare(Path(folder), Path(out))
    for pair in read_record(record):
        (source,) = Path(folder).glob(f"{pair.name}.*")
        both = read_image(source).astype(int)
        assert np.abs(np.hstack(pair[:2]).astype(int) - both).mean() < 8
    return "pairs"


def read(record: str) -> str:
    """Read all of a record."""
    found = hashlib.sha256()
    for a, b, name in read_record(Path(record)):
        found.update(a.tobytes() + b.tobytes() + name.encode())
    return found.hexdigest()


def load(checkpoint: str) -> str:
    """Load a generator."""
    network, config = load_generator(Path(checkpoint))
    found = hashlib.sha256(config.to_json().encode())
    for parameter in network.get_parameters():
        found.update(parameter.asnumpy().tobytes())
    return found.hexdigest()


def resume(folder: str, records: str) -> str:
    """Bring a run to where it would go on; return what must be as it was."""
    run = Run(Path(folder))
    config = run.config()
    data = training_data(Path(records), config.seed)
    check_free(run, resume=True)
    trainer = Trainer(run, config, data, lambda _: None)
    for row in trainer.log:
        del row["seconds"]
    settings = {k: v for k, v in asdict(config).items() if k not in RESUMABLE}
    weights = [p.asnumpy().tobytes() for p in trainer.model.parameters().values()]
    return hashlib.sha256(repr((settings, trainer.log)).encode() + b"".join(weights)).hexdigest()


def unpacked(archive: str) -> str:
    """Unpack a data set; return what came of it. Where it is refused, nothing is left."""
    target = Path(f"{archive}-unpacked") / "facades"
    target.parent.mkdir()
    try:
        unpack(Path(archive), target, "train")
    except Pix2PixError:
        assert not list(target.parent.iterdir())
        raise
    files = sorted(path for path in target.rglob("*") if path.is_file())
    found = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    return f"{[str(path.relative_to(target)) for path in files]} {found.hexdigest()}"


def weights(file: str) -> str:
    """Read PyTorch's weights."""
    found = hashlib.sha256()
    for name, array in pytorch_file.read(Path(file)).items():
        found.update(name.encode() + repr((array.dtype, array.shape)).encode() + array.tobytes())
    return found.hexdigest()


def answer(name: str, *arguments: str) -> tuple[str, str]:
    """Try one case."""
    try:
        return "fine", globals()[name](*arguments)
    except Pix2PixError as error:
        return "told", str(error)
    except BaseException:
        return "raised", traceback.format_exc()


def main() -> None:
    """Answer line by line; whatever a library prints must not come between."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        case: list[Any] = json.loads(line)
        print(json.dumps(answer(*case)), file=answers, flush=True)


if __name__ == "__main__":
    main()
