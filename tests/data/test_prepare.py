import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.feature import canny
from test_images import UNFIT

from pix2pix_ms.data.images import Pair, Row, read_image
from pix2pix_ms.data.lab import lightness
from pix2pix_ms.data.prepare.encoding import encode_file, encode_pair
from pix2pix_ms.data.prepare.folders import PairFiles
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.data.prepare.splits import find_splits
from pix2pix_ms.data.prepare.workers import WORTH_IT, cores, each, workers
from pix2pix_ms.data.records import open_record, read_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import LOCK
from pix2pix_ms.pix2pix.measures.held_out import held_out_record

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(9)


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


def assert_equal(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_array_equal(one, other)


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
    (swapped,) = [p for p in written(source, recipe=Recipe(swap=True))["train"] if p.name == "2"]
    assert_equal(swapped.a, read_image(source / "B/2.jpg"))


def test_train_a_and_train_b_and_so_on_are_splits(tmp_path: Path) -> None:
    for folder in ("trainA", "trainB", "testA", "testB"):
        save(tmp_path / "in" / folder / "1.png")
    splits = written(tmp_path / "in")
    assert list(splits) == ["train", "test"]
    assert_equal(splits["test"][0].b, read_image(tmp_path / "in/testB/1.png"))
    (tmp_path / "in/train").mkdir()
    with pytest.raises(Pix2PixError, match="expected train or trainA and trainB, found both"):
        prepare(tmp_path / "in", tmp_path / "out")


def test_halves_are_cut_and_swapped_and_converted(tmp_path: Path) -> None:
    save(tmp_path / "in/1.png", 40, 14, 4)
    with pytest.raises(Pix2PixError, match=r"found 40x14 .*--halves .*--make"):
        written(tmp_path / "in")
    recipe = Recipe(halves=True, swap=True, channels=(4, 1))
    (pair,) = written(tmp_path / "in", recipe=recipe)["train"]
    assert open_record(tmp_path / "out/train.mindrecord").channels == (4, 1)
    assert_equal(pair.a, read_image(tmp_path / "in/1.png", 4)[:, 20:])
    assert_equal(pair.b, read_image(tmp_path / "in/1.png", 1)[:, :20])
    save(tmp_path / "in/1.png", 41, 14)
    with pytest.raises(Pix2PixError, match="expected an even width"):
        written(tmp_path / "in", recipe=recipe)


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
        ({"make": "gray", "swap": True}, "make: expected no channels, swap or halves"),
        ({"channels": (0, 3)}, "channels: expected two from 1 to 4"),
        ({"shrink": 0}, "shrink: expected at least 1"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(Pix2PixError, match=words):
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


def test_bytes_are_kept_where_no_pixel_changes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = save(tmp_path / "1.jpg", 64, 48, quality=80)
    turned = save(tmp_path / "2.jpg", 64, 48, quality=80, exif=exif)
    clear = save(tmp_path / "3.png", 64, 48, 4)
    assert encode_file(jpeg, 3, None) == encode_file(jpeg, 3, 48) == jpeg.read_bytes()
    assert encode_file(clear, 4, None) == clear.read_bytes()
    again = Image.open(io.BytesIO(encode_file(turned, 3, None)))
    assert (again.format, again.size, len(again.getexif())) == ("JPEG", (48, 64), 0)
    assert abs(np.asarray(again, float) - read_image(turned)).mean() < 2
    assert Image.open(io.BytesIO(encode_file(clear, 3, None))).mode == "RGB"
    assert Image.open(io.BytesIO(encode_file(jpeg, 4, None))).format == "PNG"
    keyed = save(tmp_path / "4.png", 64, 48, transparency=(128, 128, 128))
    assert encode_file(keyed, 3, None) != keyed.read_bytes()
    jpeg.write_bytes(jpeg.read_bytes()[:-500])
    with pytest.raises(Pix2PixError, match=r"1\.jpg: expected a whole image"):
        encode_file(jpeg, 3, None)


@pytest.mark.parametrize("channels", [1, 3])
def test_halves_of_a_jpeg_stay_as_small_and_as_good(channels: int, tmp_path: Path) -> None:
    path = save(tmp_path / "1.jpg", 512, 256, channels, quality=85)
    row = encode_pair(PairFiles("1", path), Recipe(channels=(channels, channels)))
    assert len(row.input_images) + len(row.target_images) < 1.2 * path.stat().st_size
    again = np.asarray(Image.open(io.BytesIO(row.target_images)), float).reshape(256, 256, channels)
    assert abs(again - read_image(path, channels)[:, 256:]).mean() < 1


def test_lossless_webp_stays_lossless_and_lossy_becomes_jpeg(tmp_path: Path) -> None:
    whole = save(tmp_path / "1.webp", 64, 48, lossless=True)
    lossy = save(tmp_path / "2.webp", 64, 48, quality=70)
    assert encode_file(whole, 3, None).startswith(b"\x89PNG")
    assert encode_file(lossy, 3, None).startswith(b"\xff\xd8")


def test_the_report_tells_what_is_there_before_anything_is_written(tmp_path: Path) -> None:
    source, lines = tmp_path / "in", list[str]()
    for number in range(3):
        save(source / f"A/{number}.jpg", 20, 14)
        save(source / f"B/{number}.png", 20, 14, 4)
    exif = Image.Exif()
    exif[0x0112] = 8
    save(source / "A/3.jpg", 14, 20, 1, exif=exif)
    save(source / "B/3.jpg", 20, 14)
    save(source / "A/lonely.jpg")
    save(source / "A/5.jpg", 20, 14)
    save(source / "B/5.jpg", 20, 15)
    (source / "A/6.png").touch()
    save(source / "B/6.png")
    (source / "B/notes.txt").write_text("hello")
    with pytest.raises(Pix2PixError, match="1 without a partner: A/lonely.jpg;"):
        prepare(source, tmp_path / "out", report=lines.append)
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
    with pytest.raises(Pix2PixError, match=r"5\.jpg: expected 20x14 .* \(and 1 more\)$"):
        prepare(source, tmp_path / "out", skip_unpaired=True)
    assert not (tmp_path / "out").exists()


def test_files_without_a_partner_are_refused_or_left_out(tmp_path: Path) -> None:
    for number in range(7):
        save(tmp_path / f"in/A/{number}.png")
    save(tmp_path / "in/B/7.png")
    with pytest.raises(Pix2PixError, match=r"8 without .*: A/0\.png, .*A/4\.png and 3 more;"):
        held_out_record(tmp_path / "in", tmp_path / "out")
    with pytest.raises(Pix2PixError, match="train: expected at least one pair"):
        prepare(tmp_path / "in", tmp_path / "out", skip_unpaired=True)
    save(tmp_path / "in/B/3.png")
    (pair,) = written(tmp_path / "in", skip_unpaired=True)["train"]
    assert pair.name == "3"


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_image_ends_in_one_line_and_no_record(name: str, tmp_path: Path) -> None:
    save(tmp_path / "in/0.png", 90, 45)
    make, words = UNFIT[name]
    make(tmp_path / "in" / name)
    with pytest.raises(Pix2PixError, match=f"{name}: .*{words}") as found:
        prepare(tmp_path / "in", tmp_path / "out", recipe=Recipe(halves=True))
    assert "\n" not in str(found.value)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("place", ["x.png", "A", "train", "A/x", "train/A/x.jpg"])
def test_links_in_a_circle_or_to_nowhere_are_named(place: str, tmp_path: Path) -> None:
    for target in ("nowhere", Path(place).name):
        source = tmp_path / f"to {target}"
        save(source / "1.png")
        (link := source / place).parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        with pytest.raises(Pix2PixError, match="expected a link to a file") as found:
            prepare(source, tmp_path / "out")
        assert str(link) in str(found.value)


def test_a_source_that_links_to_itself_is_named(tmp_path: Path) -> None:
    (source := tmp_path / "in").symlink_to("in")
    with pytest.raises(Pix2PixError, match=r"/in: expected a link to a file or folder"):
        prepare(source, tmp_path / "out")


def test_a_folder_of_images_is_read_once_for_splits_and_once_for_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("A", "B"):
        save(tmp_path / "in" / side / "1.png")
    scanned: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(Path(path).name) or scan(path))
    find_splits(tmp_path / "in")
    assert scanned == ["in", "in", "A", "B"]


def test_other_entries_do_no_harm(tmp_path: Path) -> None:
    save(tmp_path / "in/1.png")
    (tmp_path / "in/up").symlink_to("..")
    (tmp_path / "in/folder.png").mkdir()
    os.mkfifo(tmp_path / "in/pipe.png")
    (tmp_path / "in/._1.png").write_text("left by macOS")
    (tmp_path / "in/2.png").symlink_to("1.png")
    assert [pair.name for pair in written(tmp_path / "in")["train"]] == ["1", "2"]


@pytest.mark.parametrize("place", [".", "B"])
def test_one_name_twice_is_refused(place: str, tmp_path: Path) -> None:
    save(tmp_path / "in" / place / "1.png")
    save(tmp_path / "in" / place / "1.jpg")
    (tmp_path / "in" / place.replace("B", "A")).mkdir(exist_ok=True)
    with pytest.raises(Pix2PixError, match=r"1\.png: expected one image .* found also 1\.jpg"):
        prepare(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("name", ["a\nb.png", os.fsdecode(b"\xff.png")])
def test_names_that_cannot_be_printed_are_refused(name: str, tmp_path: Path) -> None:
    save(tmp_path / "in" / name)
    with pytest.raises(Pix2PixError, match="expected a name that can be printed") as found:
        prepare(tmp_path / "in", tmp_path / "out")
    assert str(found.value).isprintable()


def test_the_seed_decides_what_is_held_out(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number}.png")
    drawn = {
        seed: [pair.name for pair in find_splits(tmp_path, val_ratio=0.1, seed=seed)["val"]]
        for seed in (0, 1)
    }
    assert drawn[0] == [pair.name for pair in find_splits(tmp_path, val_ratio=0.1)["val"]]
    assert drawn[0] != drawn[1]
    with pytest.raises(Pix2PixError, match="seed: expected at least 0"):
        find_splits(tmp_path, val_ratio=0.1, seed=-1)


def test_a_failure_in_val_leaves_the_older_train(tmp_path: Path) -> None:
    for split in ("train", "val"):
        save(tmp_path / "in" / split / "1.png", 200, 100)
    before = prepare(tmp_path / "in", tmp_path / "out")[0].read_bytes()
    save(tmp_path / "in/train/2.png")
    path = tmp_path / "in/val/1.png"
    path.write_bytes(path.read_bytes()[:-5000])  # its header is whole
    with pytest.raises(Pix2PixError, match=r"val/1\.png: expected a whole image"):
        prepare(tmp_path / "in", tmp_path / "out", force=True)
    assert (tmp_path / "out/train.mindrecord").read_bytes() == before
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 pairs that take a while."""
    folder = tmp_path_factory.mktemp("many")
    first = save(folder / "0.jpg", 1200, 600, quality=90)
    for number in range(1, 200):
        os.link(first, folder / f"{number}.jpg")
    return folder


def encoded(pairs: list[PairFiles]) -> Iterator[Row]:
    """Encode pairs on all cores."""
    with workers(len(pairs)) as submit:
        assert (submit is None) == (cores() == 1)
        yield from each(encode_pair, pairs, Recipe(), submit)


def test_processes_give_what_one_gives_in_order(tmp_path: Path) -> None:
    for number in range(WORTH_IT + 9):
        save(tmp_path / f"{number}.jpg")
    pairs = find_splits(tmp_path)["train"]
    assert list(encoded(pairs)) == [encode_pair(pair, Recipe()) for pair in pairs]


def test_processes_report_unfit_files_and_do_not_load_mindspore(tmp_path: Path) -> None:
    pairs = [PairFiles(str(n), save(tmp_path / f"{n}.jpg")) for n in range(WORTH_IT)]
    pairs[20].a.write_text("hello")
    with pytest.raises(Pix2PixError, match=r"20\.jpg: expected an image, found something else"):
        list(encoded(pairs))
    check = "import pix2pix_ms.data.prepare.encoding, pix2pix_ms.data.prepare.workers, sys; "
    check += "sys.exit('mindspore' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


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
    with pytest.raises(Pix2PixError, match=r"\d+\.jpg: .* the process reading them ended"):
        list(rows)


def test_a_script_without_a_guard_runs_once(many: Path, tmp_path: Path) -> None:
    """As a notebook's cells do: nothing is imported again."""
    script = (
        "from pathlib import Path\n"
        "from pix2pix_ms.data.prepare.prepare import prepare\n"
        f"print(len(prepare(Path({str(many)!r}), Path('out'), force=True)))\n"
    )
    (tmp_path / "script.py").write_text(script)
    for words, given in ((["script.py"], ""), (["-"], script)):
        ended = subprocess.run(
            [sys.executable, *words], input=given, cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True,
        )  # fmt: skip
        assert (ended.stdout, ended.stderr) == ("1\n", "")


def stopped(
    source: Path, out: Path, number: int, starting: bool = False
) -> tuple[int, str, list[Path]]:
    """Send the command a signal while it writes, or its processes start.

    Returns:
        Its status, what it says, and its processes.
    """
    program = [sys.executable, "-m", "pix2pix_ms", "prepare", str(source), str(out)]
    with subprocess.Popen(
        program, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        while process.poll() is None and not (
            processes_of(process.pid) if starting else list(out.glob(".writing-*"))
        ):
            time.sleep(0.01)
        time.sleep(0 if starting else 0.3)
        processes = processes_of(process.pid)
        (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)
        _, said = process.communicate(timeout=20)
    return process.returncode, said, processes


@pytest.mark.skipif(
    cores() == 1 or not Path("/proc").exists(), reason="no processes, or none to be seen"
)
def test_stopped_while_its_processes_start_it_is_one_line(many: Path, tmp_path: Path) -> None:
    status, said, _ = stopped(many, tmp_path / "out", signal.SIGINT, starting=True)
    assert (status, said) == (130, "error: interrupted\n")
    assert not (tmp_path / "out").exists()


def test_stopped_it_leaves_no_record_and_no_process_and_starts_again(
    many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, said, processes = stopped(many, out, signal.SIGINT)  # to all, as a terminal does
    assert (status, said) == (130, "error: interrupted\n")
    assert not out.exists()
    assert not any(process.exists() for process in processes)
    status, _, processes = stopped(many, out, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert processes or cores() == 1 or not Path("/proc").exists()
    (left_over,) = set(out.iterdir()) - {out / LOCK}
    assert left_over.name.startswith(".writing-records-")
    deadline = time.monotonic() + 10
    while any(process.exists() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(process.exists() for process in processes)
    (path,) = prepare(many, out, recipe=Recipe(shrink=16))
    assert len(list(read_record(path))) == 200
    assert len(list(out.iterdir())) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    disks = []

    def mount(megabytes: int) -> Path:
        disk = tmp_path / f"disk{megabytes}"
        disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
        try:
            subprocess.run(words, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user cannot mount a small disk")
        disks.append(disk)
        return disk

    yield mount
    for disk in disks:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("images", [14, 16, 30])
def test_a_full_disk_is_one_line_and_older_records_stay(
    images: int, tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    """The record does not fit beside the spool, is not even begun, or the spool does not fit.

    MindRecord begins none with less than 10 MB left.
    """
    noise = RNG.integers(0, 256, (400, 800, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(first := tmp_path / "in/0.png")
    for number in range(1, images):
        os.link(first, tmp_path / f"in/{number}.png")
    save(tmp_path / "old/1.png")
    out = small_disk(24) / "out"
    (path,) = prepare(tmp_path / "old", out)
    with pytest.raises(Pix2PixError, match="expected to write records there, found: .*") as found:
        prepare(tmp_path / "in", out, force=True)
    assert "\n" not in str(found.value)
    assert len(list(read_record(path))) == 1
    assert len(list(out.iterdir())) == 2


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Both write the same record: the one that ends last wins, and each is whole."""
    from pix2pix_ms.data.builtin import facade_pairs
    from pix2pix_ms.data.writing import ROOM, write_record

    out = tmp_path / "out"
    other = out / f"{ROOM}{os.getppid()}"  # of a process that is running
    other.mkdir(parents=True)
    (other / "train.mindrecord").write_text("half")
    dead = out / f"{ROOM}{2**22 + 1}"  # no process has this number
    dead.mkdir()
    write_record(facade_pairs(2, 32), out / "train.mindrecord")
    assert len(list(read_record(out / "train.mindrecord"))) == 2
    assert other.is_dir()
    assert not dead.exists()


def test_a_row_too_large_for_mindrecord_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pix2pix_ms.data import writing
    from pix2pix_ms.data.builtin import facade_pairs

    monkeypatch.setattr(writing, "LARGEST_ROW", 1 << 10)
    with pytest.raises(Pix2PixError, match=r"facade_0: expected a row of at most .*--shrink"):
        writing.write_record(facade_pairs(1, 32), tmp_path / "out" / "x.mindrecord")
    assert not (tmp_path / "out").exists()
