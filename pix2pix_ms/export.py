"""A trained network in the form in which it ships: weights as safetensors, and its config.json."""

from pathlib import Path

from pix2pix_ms import checkpoints, safetensors_file
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.files import appearing_whole, replace_text
from pix2pix_ms.models import settings_from_json

SEGMENTER = ("segmenter",)


def export(source: Path, out: Path) -> tuple[Path, Path]:
    """Write what translates, generates or segments of a checkpoint to `out`, config.json beside.

    The two files are what `load_generator` and `load_segmenter` read, and the folder stands for
    them. Kernels are rounded to float16: half the size of a run's `epoch_NNN.ckpt`.

    Args:
        source: as `checkpoints.file_of` takes it.
        out: a path ending in `.safetensors`; each network has a folder of its own.

    Returns:
        The two files.

    Raises:
        Pix2PixError: if the source cannot be read, holds neither network, or the folder holds
            another config.json.
    """
    if out.suffix != safetensors_file.SUFFIX:
        raise Pix2PixError(
            f"{out}: expected a name ending in {safetensors_file.SUFFIX}, found "
            f"{out.suffix or 'no ending'}; change --out"
        )
    path = checkpoints.file_of(source)
    found, config, _ = checkpoints.load(path)
    held = {name.split(".")[0] for name in found}
    networks = SEGMENTER if held >= {*SEGMENTER} else config.networks
    for network in networks:
        checkpoints.check_holds(network, found, path)
    arrays = {
        name: parameter.asnumpy()
        for name, parameter in found.items()
        if name.split(".")[0] in networks
    }
    beside = checkpoints.config_beside(out)
    if beside.exists() and settings_from_json(beside.read_text(), str(beside)) != config:
        raise Pix2PixError(
            f"{beside}: expected none or that of this network, found another; choose a folder of "
            "its own with --out"
        )
    replace_text(beside, config.to_json())
    with appearing_whole(out) as writing:
        safetensors_file.write(arrays, writing)
    return out, beside
