"""Folders of images to records: what pairs there are, what becomes of them, and what is refused."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.feature import canny
from test_images import UNFIT

from pix2pix_ms.data import writing
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.images import ORIENTATION, Pair, Row, read_image
from pix2pix_ms.data.lab import lightness
from pix2pix_ms.data.prepare import survey
from pix2pix_ms.data.prepare.encoding import encode_file, encode_pair
from pix2pix_ms.data.prepare.folders import PairFiles, find_pairs
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.data.prepare.splits import find_splits
from pix2pix_ms.data.prepare.workers import WORTH_IT, cores, each, workers
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.machine.files import LOCK
from pix2pix_ms.pix2pix.measures.evaluate import held_out_record
from tests.runs import REPOSITORY, environment, refused

RNG = np.random.default_rng(9)
SEEN = Path("/proc").exists()  # processes can be seen


def photo(width: int, height: int, channels: int = 3) -> np.ndarray:
    """A smooth picture with some grain."""
    wave = np.sin(np.arange(height)[:, None, None] / 9 + np.arange(width)[None, :, None] / 7)
    colours = 128 + 90 * wave * np.linspace(0.5, 1, channels)
    return np.uint8((colours + RNG.normal(0, 3, colours.shape)).clip(0, 255))


def save(path: Path, width: int = 32, height: int = 16, channels: int = 3, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = photo(width, height, channels)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path, **how)
    return path


def written(source: Path, **how: object) -> dict[str, list[Pair]]:
    paths = prepare(source, source.parent / "out", force=True, **how)  # type: ignore[arg-type]
    return {path.stem: list(read_record(path)) for path in paths}


def refuse(source: Path, words: str, **how: object) -> None:
    """Prepare what must be refused, in one line and without any records."""
    out = source.parent / "refused"
    with refused(words):
        prepare(source, out, **how)  # type: ignore[arg-type]
    assert not out.exists()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def assert_equal(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_array_equal(one, other)


# --- What pairs there are ------------------------------------------------------------------------


def test_left_is_a_and_right_is_b_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["1", "9", "10", "100"]
    pixels = read_image(tmp_path / "1.png")
    assert_equal(np.hstack(pairs[0].read()[:2]), pixels)


def test_folders_a_and_b_of_mixed_formats_have_names_in_any_script(tmp_path: Path) -> None:
    source = tmp_path / "照片 和 地图" / "in"
    save(source / "A/街 1.png", 20, 14)
    save(source / "B/街 1.webp", 20, 14, lossless=True)
    save(source / "A/2.tif", 20, 14)
    save(source / "B/2.jpg", 20, 14)
    first, second = written(source)["train"]
    assert (first.name, second.name) == ("2", "街 1")
    assert_equal(second.a, read_image(source / "A/街 1.png"))
    assert_equal(second.b, read_image(source / "B/街 1.webp"))
    assert_equal(find_pairs(source)[1].read().b, second.b)
    (swapped,) = [p for p in written(source, recipe=Recipe(swap=True))["train"] if p.name == "2"]
    assert_equal(swapped.a, read_image(source / "B/2.jpg"))


def test_train_and_test_or_train_a_and_train_b_are_splits(tmp_path: Path) -> None:
    for folder in ("trainA", "trainB", "testA", "testB"):
        save(tmp_path / "apart" / folder / "1.png")
    splits = written(tmp_path / "apart")
    assert list(splits) == ["train", "test"]
    assert_equal(splits["test"][0].b, read_image(tmp_path / "apart/testB/1.png"))
    for split in ("train", "val"):
        save(tmp_path / "together" / split / "1.png")
    assert list(find_splits(tmp_path / "together")) == ["train", "val"]
    assert list(find_splits(tmp_path / "together" / "val", "mine")) == ["mine"]


def test_val_is_a_share_of_train_that_the_seed_decides(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number}.png")
    splits = find_splits(tmp_path, val_ratio=0.1)
    names = {split: {pair.name for pair in pairs} for split, pairs in splits.items()}
    assert (len(names["train"]), len(names["val"])) == (36, 4)
    assert names["train"].isdisjoint(names["val"])
    assert splits == find_splits(tmp_path, val_ratio=0.1, seed=0)
    assert splits != find_splits(tmp_path, val_ratio=0.1, seed=1)
    refuse(tmp_path, "seed: expected at least 0", val_ratio=0.1, seed=-1)
    refuse(tmp_path, "val_ratio: expected a share from 0 to below 1", val_ratio=1.0)
    for split in ("train", "val"):
        save(tmp_path / "both" / split / "1.png")
    refuse(tmp_path / "both", "none called val .* leave val_ratio out", val_ratio=0.1)


SQUARES = {"A/1.png": (16, 16), "B/1.png": (16, 16)}
UNUSABLE: dict[str, tuple[dict[str, tuple[int, int]], str]] = {
    "one square": ({"1.png": (16, 16)}, r"1\.png: expected two square images .*found 16x16"),
    "uneven": ({"1.png": (33, 16)}, r"1\.png: expected two square images .*found 33x16"),
    "photo": ({"1.png": (40, 30)}, r"found 40x30 .*--halves .*--make"),
    "two sizes": (SQUARES | {"B/1.png": (18, 16)}, r"B/1\.png: expected 16x16 .*found 18x16"),
    "nothing": ({}, r"expected a folder of images, found none"),
    "no image": ({".hidden/1.png": (32, 16)}, r"expected images .*, found none"),
    "lonely": (SQUARES | {"A/2.png": (16, 16)}, r"found 1 .*: A/2\.png; .*--skip-unpaired"),
    "twice": ({"1.png": (32, 16), "1.jpg": (32, 16)}, r"1\.png: expected one .*found also 1\.jpg"),
    "twice in B": (SQUARES | {"B/1.jpg": (16, 16)}, r"B/1\.png: expected one image called 1"),
    "two layouts": (
        {"train/1.png": (32, 16), "trainA/1.png": (16, 16), "trainB/1.png": (16, 16)},
        r"expected train or trainA and trainB, found both",
    ),
    "line feed": ({"a\nb.png": (32, 16)}, r"expected a name that can be printed"),
    "not UTF-8": ({os.fsdecode(b"\xff.png"): (32, 16)}, r"expected a name that can be printed"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_folders_that_cannot_be_used_are_refused(name: str, tmp_path: Path) -> None:
    files, words = UNUSABLE[name]
    for file, size in files.items():
        save(tmp_path / "in" / file, *size)
    refuse(tmp_path / "in", words)


@pytest.mark.parametrize("place", ["", "x.png", "A", "train", "A/x", "train/A/x.jpg"])
@pytest.mark.parametrize("target", ["nowhere", "itself"])
def test_links_to_nowhere_or_in_a_circle_are_named(place: str, target: str, tmp_path: Path) -> None:
    source = tmp_path / "in"
    if place:
        save(source / "1.png")
    (link := source / place).parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(link.name if target == "itself" else target)
    refuse(source, f"{re.escape(str(link))}: expected a link to a file or folder")


def test_other_entries_do_no_harm(tmp_path: Path) -> None:
    save(tmp_path / "in/1.png")
    (tmp_path / "in/up").symlink_to("..")
    (tmp_path / "in/folder.png").mkdir()
    os.mkfifo(tmp_path / "in/pipe.png")
    (tmp_path / "in/._1.png").write_text("left by macOS")
    (tmp_path / "in/2.png").symlink_to("1.png")
    assert [pair.name for pair in written(tmp_path / "in")["train"]] == ["1", "2"]


def test_files_without_a_partner_are_left_out_if_asked_to(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for number in range(7):
        save(source / f"A/{number}.png")
    save(source / "B/7.png")
    with refused(r"8 without .*: A/0\.png, .*A/3\.png and 4 more;"):
        held_out_record(source, tmp_path / "out")
    refuse(source, "train: expected at least one pair", skip_unpaired=True)
    save(source / "B/3.png")
    (pair,) = written(source, skip_unpaired=True)["train"]
    assert pair.name == "3"


# --- What becomes of them ------------------------------------------------------------------------


def test_halves_are_cut_and_swapped_and_converted(tmp_path: Path) -> None:
    path = save(tmp_path / "in/1.png", 40, 14, 4)
    recipe = Recipe(halves=True, swap=True, channels=(4, 1))
    (pair,) = written(tmp_path / "in", recipe=recipe)["train"]
    assert open_record(tmp_path / "out/train.mindrecord").channels == (4, 1)
    assert_equal(pair.a, read_image(path, 4)[:, 20:])
    assert_equal(pair.b, read_image(path, 1)[:, :20])
    save(path, 41, 14)
    refuse(tmp_path / "in", "expected an even width", recipe=recipe)


def test_a_is_made_of_photos(tmp_path: Path) -> None:
    path = save(tmp_path / "in/val/1.jpg", 40, 30)
    save(tmp_path / "in/train/1.jpg", 40, 30)
    grey = np.asarray(Image.open(path).convert("L"))
    expected = {
        "gray": grey[..., None],
        "edges": np.where(canny(grey, sigma=2), 0, 255)[..., None],
        "lab": lightness(read_image(path)),
    }
    assert 0 < (expected["edges"] == 0).mean() < 0.5
    for make, a in expected.items():
        (pair,) = written(tmp_path / "in", recipe=Recipe(make=make))["val"]
        record = open_record(tmp_path / "out/val.mindrecord")
        assert (record.channels, record.colours) == ((1, 3), "lab" if make == "lab" else "rgb")
        assert_equal(pair.a, a)
        assert_equal(pair.b, read_image(path))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"make": "blur"}, "make: expected one of gray, edges, lab, found 'blur'"),
        ({"make": "gray", "channels": (1, 3)}, "make: expected no channels"),
        ({"make": "gray", "swap": True}, "make: expected no channels, pair, swap or halves"),
        ({"channels": (0, 3)}, "channels: expected two from 1 to 4"),
        ({"shrink": 0}, "shrink: expected at least 1"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with refused(words):
        Recipe(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_large_images_are_shrunk_both_alike(suffix: str, tmp_path: Path) -> None:
    for width, height in ((203, 151), (416, 320)):  # a JPEG of these is decoded at a quarter
        save(tmp_path / f"in/A/1.{suffix}", width, height)
        save(tmp_path / "in/B/1.png", width, height)
        (pair,) = written(tmp_path / "in", recipe=Recipe(shrink=64))["train"]
        size = (round(64 * width / height), 64)
        with Image.open(tmp_path / f"in/A/1.{suffix}") as image:
            expected = np.asarray(image.resize(size, Image.Resampling.BICUBIC), float)
        assert pair.a.shape == pair.b.shape == expected.shape
        assert abs(pair.a - expected).mean() < 3
    save(tmp_path / f"wide/1.{suffix}", 302, 151)
    (pair,) = written(tmp_path / "wide", recipe=Recipe(shrink=50))["train"]
    assert pair.a.shape == pair.b.shape == (50, 50, 3)


def test_bytes_stay_where_no_pixel_changes(tmp_path: Path) -> None:
    jpeg = save(tmp_path / "1.jpg", 64, 48, quality=80)
    lying = save(tmp_path / "2.jpg", 64, 48, quality=80, exif=turned(6))
    clear = save(tmp_path / "3.png", 64, 48, 4)
    keyed = save(tmp_path / "4.png", 64, 48, transparency=(128, 128, 128))
    whole = save(tmp_path / "5.webp", 64, 48, lossless=True)
    lossy = save(tmp_path / "6.webp", 64, 48, quality=70)
    assert encode_file(jpeg, 3, None) == encode_file(jpeg, 3, 48) == jpeg.read_bytes()
    assert encode_file(clear, 4, None) == clear.read_bytes()
    again = Image.open(io.BytesIO(encode_file(lying, 3, None)))
    assert (again.format, again.size, len(again.getexif())) == ("JPEG", (48, 64), 0)
    assert abs(np.asarray(again, float) - read_image(lying)).mean() < 2
    for path, channels, kind, mode in (
        (clear, 3, "PNG", "RGB"),
        (keyed, 3, "PNG", "RGB"),
        (jpeg, 4, "PNG", "RGBA"),
        (whole, 3, "PNG", "RGB"),
        (lossy, 3, "JPEG", "RGB"),
    ):
        again = Image.open(io.BytesIO(content := encode_file(path, channels, None)))
        assert (again.format, again.mode) == (kind, mode), path
        assert content != path.read_bytes()
    jpeg.write_bytes(jpeg.read_bytes()[:-500])
    with refused(r"1\.jpg: expected a whole image"):
        encode_file(jpeg, 3, None)


@pytest.mark.parametrize("channels", [1, 3])
def test_halves_of_a_jpeg_stay_as_small_and_as_good(channels: int, tmp_path: Path) -> None:
    path = save(tmp_path / "1.jpg", 512, 256, channels, quality=85)
    row = encode_pair(PairFiles("1", path), Recipe(channels=(channels, channels)))
    assert len(row.input_images) + len(row.target_images) < 1.2 * path.stat().st_size
    again = np.asarray(Image.open(io.BytesIO(row.target_images)), float).reshape(256, 256, channels)
    assert abs(again - read_image(path, channels)[:, 256:]).mean() < 1


# --- What is reported, and what stays ------------------------------------------------------------


def test_findings_are_reported_before_anything_is_written(tmp_path: Path) -> None:
    source, lines = tmp_path / "in", list[str]()
    for number in range(3):
        save(source / f"A/{number}.jpg", 20, 14)
        save(source / f"B/{number}.png", 20, 14, 4)
    save(source / "A/3.jpg", 14, 20, 1, exif=turned(8))
    save(source / "B/3.jpg", 20, 14)
    save(source / "A/lonely.jpg")
    save(source / "A/5.jpg", 20, 14)
    save(source / "B/5.jpg", 20, 15)
    (source / "A/6.png").touch()
    save(source / "B/6.png")
    (source / "B/notes.txt").write_text("hello")
    refuse(source, "1 without a partner: A/lonely.jpg;", report=lines.append)
    assert lines == [
        "train     6 pairs, folders A and B",
        "size      9 of 20x14, 1 of 20x15",
        "mode      6 of RGB, 3 of RGBA to RGB, 1 of L to RGB",
        "turned    1 as their EXIF orientation says",
        "alpha     3 of RGBA put over white",
        "ignored   1 that are no images: B/notes.txt",
        f"unpaired  {source}/A/lonely.jpg",
        f"unfit     {source}/B/5.jpg: expected 20x14 pixels like {source}/A/5.jpg, found 20x15; "
        "make both images of a pair the same size",
        f"unfit     {source}/A/6.png: expected an image, found an empty file; remove it or "
        "replace it",
    ]
    refuse(source, r"5\.jpg: expected 20x14 .* \(and 1 more\)$", skip_unpaired=True)


def test_each_unfit_image_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but one whose header is whole, where that is found while it is encoded."""
    monkeypatch.setattr(survey, "MOST_LISTED", 99)
    source, lines = tmp_path / "in", list[str]()
    source.mkdir()
    files = {f"{number}{name}": case for number, (name, case) in enumerate(UNFIT.items())}
    for name, (make, _) in files.items():
        make(source / name)
    more = rf"\(and {len(files) - 2} more\)$"
    refuse(source, more, recipe=Recipe(halves=True), report=lines.append)
    for name, (_, words) in files.items():
        if not name.endswith("cut.jpg"):
            assert any(f"{name}: " in line and words in line for line in lines), name


def test_older_records_stay_until_the_new_ones_are_whole(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for split in ("train", "val"):
        save(source / split / "1.png", 200, 100)
    train, _ = prepare(source, out)
    before = train.read_bytes()
    save(source / "train/2.png")
    path = source / "val/1.png"
    for content in (path.read_bytes()[:-5000], b"hello"):  # of the first the header is whole
        path.write_bytes(content)
        with refused(r"val/1\.png: expected "):
            prepare(source, out, force=True)
        assert train.read_bytes() == before
        assert len(list(out.iterdir())) == 4


def test_a_row_too_large_for_mindrecord_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LARGEST_ROW", 1 << 10)
    with refused(r"facade_0: expected a row of at most .*--shrink"):
        writing.write_record(facade_pairs(1, 32), tmp_path / "out" / "x.mindrecord")
    assert not (tmp_path / "out").exists()


# --- Processes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pairs that take a while."""
    folder = tmp_path_factory.mktemp("many")
    first = save(folder / "0.jpg", 1200, 600, quality=90)
    for number in range(1, 120):
        os.link(first, folder / f"{number}.jpg")
    return folder


def encoded(pairs: list[PairFiles]) -> Iterator[Row]:
    """Encode pairs on all cores."""
    with workers(len(pairs)) as connections:
        assert len(connections) == (cores() if cores() > 1 else 0)
        yield from each(encode_pair, pairs, Recipe(), connections)


@pytest.mark.parametrize("more", [1, 9])
def test_processes_give_what_one_gives_in_order(more: int, tmp_path: Path) -> None:
    for number in range(WORTH_IT + more):
        save(tmp_path / f"{number}.jpg")
    pairs = find_splits(tmp_path)["train"]
    assert list(encoded(pairs)) == [encode_pair(pair, Recipe()) for pair in pairs]


def test_processes_report_unfit_files_and_do_not_load_mindspore(tmp_path: Path) -> None:
    pairs = [PairFiles(str(n), save(tmp_path / f"{n}.jpg")) for n in range(WORTH_IT)]
    pairs[20].a.write_text("hello")
    with refused(r"20\.jpg: expected an image, found something else"):
        list(encoded(pairs))
    check = "import pix2pix_ms.data.prepare.encoding, pix2pix_ms.data.prepare.workers, sys; "
    check += "sys.exit('mindspore' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=REPOSITORY)


def processes_of(parent: int) -> list[Path]:
    """Where the processes that work for another are listed; nowhere if there is no /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes()
            own = status.read_text().split("PPid:")[1].split()[0] == str(parent)
        except (OSError, IndexError):
            continue
        if own and b"pix2pix_ms.data.prepare.workers" in command:
            found.append(status.parent)
    return found


@pytest.mark.skipif(cores() == 1, reason="one core: no processes")
def test_a_process_that_dies_is_an_error_that_names_the_file(many: Path) -> None:
    rows = encoded(find_splits(many)["train"])
    next(rows)
    for process in processes_of(os.getpid()):
        os.kill(int(process.name), signal.SIGKILL)
    with refused(r"\d+\.jpg: .* the process reading them ended"):
        list(rows)


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    """As a notebook's cells do: nothing is imported again."""
    for number in range(WORTH_IT):
        save(tmp_path / f"in/{number}.png")
    script = (
        "from pathlib import Path\n"
        "from pix2pix_ms.data.prepare.prepare import prepare\n"
        "print(len(prepare(Path('in'), Path('out'))))\n"
    )
    (tmp_path / "script.py").write_text(script)
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True,
        env=environment(), check=True,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("1\n", "")


@pytest.mark.parametrize(
    ("number", "starting"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGKILL, False)],
)
def test_interrupted_or_killed_it_leaves_no_process_and_no_half_record(
    number: signal.Signals, starting: bool, many: Path, tmp_path: Path
) -> None:
    """While it writes, or while its processes start; after a kill it clears away what it left."""
    if starting and (cores() == 1 or not SEEN):
        pytest.skip("no processes, or none to be seen")
    out = tmp_path / "out"
    program = [sys.executable, "-m", "pix2pix_ms", "prepare", str(many), str(out)]
    with subprocess.Popen(
        program, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, process_group=0
    ) as command:
        while command.poll() is None and not (
            processes_of(command.pid) if starting else list(out.glob(".writing-*"))
        ):
            time.sleep(0.01)
        processes = processes_of(command.pid)
        killed = number == signal.SIGKILL
        (os.kill if killed else os.killpg)(command.pid, number)  # to all, as a terminal does
        _, said = command.communicate(timeout=60)
    assert processes or cores() == 1 or not SEEN
    deadline = time.monotonic() + 30 * killed
    while any(process.exists() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(process.exists() for process in processes)
    if not killed:
        assert (command.returncode, said) == (130, "error: interrupted\n")
        assert not out.exists()
        return
    assert (command.returncode, said) == (-number, "")
    assert {path.name for path in out.iterdir()} - {LOCK} == {writing.ROOM}
    (path,) = prepare(many, out, recipe=Recipe(shrink=16))
    assert len(list(read_record(path))) == 120
    assert len(list(out.iterdir())) == 2
