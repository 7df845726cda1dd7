"""Damaged files end in the correct result or in one line that names them, never otherwise.

What a server may do to a download, and each hostile member of an archive, is tested in
tests/data/test_download.py; what a pickle may try in tests/exchange/test_convert.py.
"""

import shutil
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import count
from judge import LONGEST, Judge, damaged
from PIL import Image

from pix2pix_ms.config.models import preset
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import ORIENTATION
from pix2pix_ms.data.integrity import check_readable, state
from pix2pix_ms.errors import DamagedError
from pix2pix_ms.exchange.export import export
from pix2pix_ms.machine import pytorch_file
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run
from tests.runs import TINY, published, refused

TURNED = Image.Exif()
TURNED[ORIENTATION] = 1
TURNED[0x010E] = "described"
KINDS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 90}, "progressive.jpg": {"progressive": True}, "png": {},
    "webp": {"quality": 80}, "lossless.webp": {"lossless": True}, "exif.jpg": {"exif": TURNED},
    "tif": {"compression": "tiff_lzw"}, "gif": {}, "bmp": {}, "avif": {}, "jp2": {},
}  # fmt: skip


ASKED = [kind for kind in KINDS if kind.endswith(("jpg", "png", "webp"))]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An image side by side in every kind of file, by its name."""
    folder = tmp_path_factory.mktemp("images")
    for kind, options in KINDS.items():
        Image.fromarray(np.hstack(facade(1, 32))).save(folder / f"image.{kind}", **options)
    return {kind: (folder / f"image.{kind}").read_bytes() for kind in KINDS}


def test_images(judge: Judge, images: dict[str, bytes], undisturbed: Path, tmp_path: Path) -> None:
    """At least 500 of JPEG, PNG and WebP, and others; by turns translated and prepared."""
    ends: Counter[str] = Counter()
    checkpoint = undisturbed / "checkpoints" / "last.ckpt"
    whole = 2 * len(KINDS)  # the first of each kind, each way
    for number in range(whole + count(44, 500 * len(KINDS) // len(ASKED))):
        kind = list(KINDS)[number // 2 % len(KINDS)]
        place, out = tmp_path / f"{number}", tmp_path / f"{number}-out"
        place.mkdir()
        image = place / f"image.{kind.rpartition('.')[2]}"
        harm = number >= whole
        rng = np.random.default_rng(number)
        image.write_bytes(damaged(images[kind], rng) if harm else images[kind])
        case = ("prepared", place, out) if number % 2 else ("translate", image, checkpoint, out)
        end = judge.check(case, [image], None)
        assert end == "fine" or harm
        assert end == "fine" or not list(out.glob("*"))
        assert list(place.iterdir()) == [image]
        ends[end] += 1
    assert min(ends["fine"], ends["told"]) > 10, "both happen"


def by_others(path: Path) -> Path:
    """Write a record in the published layout, without checksums."""
    images = np.random.default_rng(0).uniform(-1, 1, (3, 2, 2, 3, 16, 16)).astype(np.float32)
    return published(path, *((a, b) for a, b in images), sums=False)


def test_records(judge: Judge, records: Path, tmp_path: Path) -> None:
    """Ours, whose checksums tell every damage, and every tenth one of others."""
    others = by_others(tmp_path / "others" / records.name)
    results = {path: judge.outcome("read", path) for path in (records, others)}
    assert {outcome.how for outcome in results.values()} == {"fine"}
    renamed = tmp_path / "renamed" / records.name
    renamed.parent.mkdir()
    shutil.copy(f"{records}.db", f"{renamed}.db")
    renamed.write_bytes(records.read_bytes().replace(b"facade_3", b"facade_9"))
    assert judge.outcome("read", renamed).what.startswith(f"{renamed}: expected the record and")
    for number in range(count(20, 200)):
        source = others if number % 10 == 9 else records
        copy = tmp_path / f"{number}" / source.name
        copy.parent.mkdir()
        files = [copy, copy.with_name(f"{copy.name}.db")]
        for file in files:
            shutil.copy(source.with_name(file.name), file)
        harmed = files[number // 2 % 2]
        harmed.write_bytes(damaged(harmed.read_bytes(), np.random.default_rng(number)))
        # What others wrote has no checksum: that it reads is all there is to ask.
        expected = results[source].what if source == records else None
        judge.check(("read", copy), files, expected)


def test_a_crash_of_mindspores_reader_is_reported(tmp_path: Path, judge: Judge) -> None:
    """A key of the header of a record by others renamed: MindSpore aborts, we do not."""
    record = by_others(tmp_path / "train.mindrecord")
    content = record.read_bytes()
    assert content.count(b"index_fields")
    record.write_bytes(content.replace(b"index_fields", b"index_fiexds", 1))
    assert judge.check(("read", record), [record], None) == "told"
    assert "of which MindSpore's reader dies (status -6)" in judge.outcome("read", record).what


STUCK = """
class FileReader:
    def __init__(self, path): pass
    def get_next(self):
        while True: pass
MindDataset = None
"""


def test_a_reader_that_never_ends_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the damages here brings MindSpore's to that: one in its place."""
    for module in ("__init__", "dataset", "mindrecord"):
        (tmp_path / "mindspore").mkdir(exist_ok=True)
        (tmp_path / "mindspore" / f"{module}.py").write_text(STUCK)
    monkeypatch.syspath_prepend(tmp_path)
    record = tmp_path / "train.mindrecord"
    record.write_bytes(b"a few")
    began = time.monotonic()
    with refused("of which MindSpore's reader never ends; write it", DamagedError):
        check_readable(record, *state(record))
    assert time.monotonic() - began < LONGEST


def exported(run: Path, folder: Path) -> list[Path]:
    """A run's checkpoint, and the generator exported from it."""
    last = Run(run).last
    export(last, folder / "generator.safetensors")
    return [last, folder / "generator.safetensors"]


def pth(_: Path, folder: Path) -> list[Path]:
    """Weights as PyTorch saves them."""
    rng = np.random.default_rng(0)
    arrays = {f"model.{n}.weight": rng.standard_normal((8, 4, 4)).astype("f4") for n in range(5)}
    pytorch_file.write(arrays, folder / "whole.pth")
    return [folder / "whole.pth"]


def archive(_: Path, folder: Path) -> list[Path]:
    """A data set as it is published."""
    rng = np.random.default_rng(0)
    (folder / "facades" / "train").mkdir(parents=True)
    for number in range(4):
        (folder / f"facades/train/{number}.jpg").write_bytes(rng.bytes(3000))
    with tarfile.open(folder / "whole.tar.gz", "w:gz") as tar:
        tar.add(folder / "facades", "facades")
    return [folder / "whole.tar.gz"]


@pytest.mark.parametrize(
    ("kind", "make", "cases", "least_told"),
    [
        ("load", exported, count(24, 400), 0.9),
        ("weights", pth, count(100, 500), 0.1),
        ("unpacked", archive, count(40, 200), 0.5),
    ],
)
def test_checkpoints_weights_and_archives(
    kind: str,
    make: Callable[[Path, Path], list[Path]],
    cases: int,
    least_told: float,
    judge: Judge,
    undisturbed: Path,
    tmp_path: Path,
) -> None:
    sources = make(undisturbed, tmp_path)
    results = {source: judge.outcome(kind, source) for source in sources}
    assert {outcome.how for outcome in results.values()} == {"fine"}
    ends: Counter[str] = Counter()
    for number in range(cases):
        source = sources[number % len(sources)]
        copy = tmp_path / f"{number}{source.suffix}"
        copy.write_bytes(damaged(source.read_bytes(), np.random.default_rng(number)))
        ends[judge.check((kind, copy), [copy], results[source].what)] += 1
        copy.unlink()
    assert ends["told"] > least_told * cases


def test_a_very_long_pickle_is_refused_in_time(judge: Judge, tmp_path: Path) -> None:
    """Twenty million times None."""
    file = tmp_path / "latest_net_G.pth"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("latest_net_G/data.pkl", b"\x80\x02(" + b"N" * 20_000_000 + b"t.")
    assert judge.check(("weights", file), [file], None) == "told"


TEXTS = ("config.json", "log.csv", "data.json")


def test_settings_and_logs(judge: Judge, undisturbed: Path, records: Path, tmp_path: Path) -> None:
    """A run whose texts are damaged is refused by name, or goes on as it was."""
    expected = judge.outcome("resume", undisturbed, records)
    assert expected.how == "fine", expected.what
    for number in range(count(15, 100)):
        run = Path(shutil.copytree(undisturbed, tmp_path / f"{number}"))
        rng, name = np.random.default_rng(number), TEXTS[number % len(TEXTS)]
        content = (run / name).read_bytes()
        (run / name).write_bytes(damaged(content, rng) if number % 4 else typo(content, rng))
        files = [run / text for text in TEXTS] + [run / "checkpoints" / "last.ckpt"]
        judge.check(("resume", run, records), files, expected.what)


def typo(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a digit, which nothing but what is known of the run can tell."""
    changed = bytearray(content)
    place = rng.choice([i for i, byte in enumerate(content) if chr(byte).isdigit()])
    changed[place] = ord(str(rng.integers(10)))
    return bytes(changed)


@pytest.mark.parametrize("networks", ["generator", "discriminator, generator"])
def test_a_checkpoint_of_networks_alone_is_not_resumed(
    networks: str, judge: Judge, copied: Path, records: Path
) -> None:
    run = Run(copied)
    found, config, position = checkpoints.load(run.last)
    kept = [found[name] for name in found if name.split(".")[0] in networks.split(", ")]
    checkpoints.save(kept, run.last, config, **position)
    outcome = judge.outcome("resume", run.folder, records)
    assert outcome.how == "told", outcome.what
    assert f"expected all that a training goes on from, found {networks} alone" in outcome.what


@pytest.mark.parametrize(
    "change",
    [{"ngf": 8}, {"norm": "instance"}, {"levels": 3}, {"skips": False}, {"conditional": False}],
)
def test_checkpoints_of_other_architectures_are_rejected(
    change: dict[str, object], judge: Judge, copied: Path, records: Path
) -> None:
    run, config = Run(copied), preset("quick", **TINY | change)
    checkpoints.save(Pix2Pix(config).parameters().values(), run.last, config, epoch=3, step=30)
    outcome = judge.outcome("resume", copied, records)
    assert outcome.how == "told", outcome.what
    assert outcome.what.startswith(f"{run.last}: expected {min(change)} ")
