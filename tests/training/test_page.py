"""A run's page: in a browser, what the command makes of older runs and of several, and mistakes."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.models import MODELS, preset
from pix2pix_ms.family.cyclegan.task import UnpairedTask
from pix2pix_ms.pix2pix.task import PairsTask
from pix2pix_ms.training import page as pages
from pix2pix_ms.training.page import Page
from pix2pix_ms.training.run import Run
from tests.runs import TINY, options, output, refusal

HEIGHT, WIDTH = 40, 120  # of these sample grids: an input, a generated image and a target
CONFIG = replace(preset("quick"), epochs=6)
INPUT, TARGET = (20, 40, 200), (180, 160, 60)
COLOURS = np.random.default_rng(0).integers(40, 216, (7, 3))  # generated, by epoch


def drawn(epoch: int) -> Image.Image:
    """A sample grid of which only the generated image, of one colour, changes."""
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[:, :39], pixels[:, 40:80], pixels[:, 81:] = INPUT, COLOURS[epoch], TARGET
    return Image.fromarray(pixels)


def grow(run: Run, epoch: int, **settings: Any) -> None:
    """Leave what a training of pix2pix does after an epoch."""
    if not run.exists():
        noted = {"pairs": "9 pairs </script>", "fingerprint": "1", "device": "CPU"}
        run.begin(replace(CONFIG, **settings), {"train": "/x.mindrecord", **noted})
    run.sample_file(epoch).parent.mkdir(exist_ok=True)
    drawn(epoch).save(run.sample_file(epoch))
    loss = 1 / (1 + epoch)
    row = {"epoch": epoch, "step": 9 * epoch, "learning_rate": 2e-4}
    row |= dict.fromkeys(("loss_d_real", "loss_d_fake"), loss if epoch else float("nan"))
    row |= {"loss_g_gan": 0.5, "loss_g_l1": loss, "held_out_l1": loss, "held_out_psnr": 12.3}
    run.write_log([*run.log(), row | {"held_out_ssim": 0.25, "seconds": 20.0 * (epoch > 0)}])


def grown(folder: Path, last: int, **settings: Any) -> Run:
    run = Run(folder)
    for epoch in range(last + 1):
        grow(run, epoch, **settings)
    return run


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = grown(tmp_path_factory.mktemp("pages") / "ended", 6)
    run.warn(["epoch 3: every generated image is of one colour"])
    output("report", run.folder)
    return run


@pytest.fixture
def copied(ended: Run, tmp_path: Path) -> Run:
    """The run without its page."""
    run = Run(Path(shutil.copytree(ended.folder, tmp_path / "copied")))
    run.page_file.unlink()
    return run


Opened = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    """Open a file offline, and see that it asks for nothing but itself and has no errors."""
    contexts, asked, wrong = [], set(), []

    def open_page(file: Path, width: int = 1280, **more: Any) -> Any:
        viewport = {"width": width, "height": 900}
        context = browser.new_context(viewport=viewport, offline=True, locale="en", **more)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.add(request.url.split("?")[0]))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
    files = {url.split("#")[0] for url in asked if not url.startswith("data:image/webp;")}
    assert len(files) == len(contexts)


def soon(found: Any, words: str) -> None:
    """Wait until an element has these words; the page looks for new ones every few seconds."""
    from playwright.sync_api import expect

    expect(found).to_contain_text(words, timeout=15000)


def shows(page: Any, epoch: int, run: int = 0, at: int | None = None) -> None:
    """Expect the picture of an epoch; the slider is there too, unless it is `at` a later one."""
    figure = page.locator("figure").nth(run)
    soon(figure.locator("b"), f"epoch {epoch}:")
    assert page.locator("#slider").input_value() == str(epoch if at is None else at)
    off = 255.0
    for _ in range(40):  # decoded aside
        shot = BytesIO(figure.locator(".picture").screenshot())
        pixels = np.asarray(Image.open(shot).convert("RGB"), float)
        cells = [pixels[len(pixels) // 2, pixels.shape[1] * place // 6] for place in (1, 3, 5)]
        off = float(np.abs(np.subtract(cells, [INPUT, COLOURS[epoch], TARGET])).max())
        if off < 12:  # WebP is not exact
            break
        page.wait_for_timeout(50)
    assert off < 12, f"epoch {epoch}"


def test_slider_keys_and_play_show_the_right_pictures(ended: Run, opened: Opened) -> None:
    page = opened(ended.page_file)
    shows(page, 6)
    mark = page.locator(".plot > i").first
    places = [mark.bounding_box()["x"]]
    page.locator("#slider").fill("2")
    shows(page, 2)
    for key, epoch in (("ArrowRight", 3), ("ArrowLeft", 2), ("Home", 0), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        shows(page, epoch)
        places.append(mark.bounding_box()["x"])
    assert places[0] == max(places) and places[1] > places[2] > places[3] == places[4]
    curves = page.locator(".curve").all_inner_texts()
    assert {"D, real\n\N{EN DASH}", "held out\n1", "held-out PSNR\n12.3"} <= {*curves}
    page.locator("#play").click()
    shows(page, 6)
    page.keyboard.press("ArrowLeft")
    page.reload()
    shows(page, 5)


def test_what_is_known_of_a_run_is_told_in_english_and_chinese(ended: Run, opened: Opened) -> None:
    page = opened(ended.page_file)
    told = "ended, finished, of one colour, epoch 6 of 6, 9 pairs </script>, CPU, 20 s, 2 min, "
    told += "lsgan, adversarial losses, held-out SSIM, input, generated and target images"
    assert [words for words in told.split(", ") if words not in page.inner_text("body")] == []
    page.locator("#language").click()
    told = "训练完成 轮 数据 设备 每轮用时 对抗损失 留出图像 判别器 生成器 目标"
    assert [words for words in told.split() if words not in page.inner_text("body")] == []
    page.reload()
    assert page.inner_text("#language") == "English"


def test_every_word_has_its_chinese() -> None:
    """Those of the page, and those of every model but names, such as SSIM or r1."""
    script = pages.JS.read_text(encoding="utf-8")
    chinese = re.findall(r'"([^"]+)":\s+"', script)
    tasks = [model.task_class() for model in MODELS.values()]
    words = re.findall(r'say\("([^"]+)"', script)
    words += [title for task in tasks for title in (task.sample_words, *task.panels())]
    for task in (PairsTask, UnpairedTask):
        words += task.panels()["adversarial losses"]
    assert [each for each in words if each not in chinese and not each.isupper()] == []


def test_a_new_epoch_is_taken_up_and_the_time_left_told(tmp_path: Path, opened: Opened) -> None:
    """Where the latest is shown; who looks at an earlier one goes on looking at it."""
    run = grown(tmp_path / "run", 1)
    writing = Page([run])
    writing.write(run.page_file, live=True)
    page = opened(run.page_file)
    shows(page, 1)
    soon(page.locator("#state"), " left")
    grow(run, 2)
    writing.write(run.page_file, live=True)
    soon(page.locator("#epoch"), "epoch 2 of 6")
    shows(page, 2)
    page.keyboard.press("Home")
    grow(run, 3)
    writing.write(run.page_file, live=True)
    os.utime(run.page_file, (1, 1))
    soon(page.locator("#state"), "interrupted?")
    shows(page, 0)
    assert page.locator("#slider").get_attribute("max") == "3"


def test_several_runs_stand_side_by_side(ended: Run, tmp_path: Path, opened: Opened) -> None:
    """The shorter one stays at its last epoch; of the settings those that differ are shown."""
    other = grown(tmp_path / "other", 3, lambda_l1=7.0, epochs=3)
    output("report", ended.folder, other.folder, "--out", tmp_path / "both.html")
    page = opened(tmp_path / "both.html")
    shows(page, 6)
    shows(page, 3, run=1, at=6)
    boxes = [figure.bounding_box() for figure in page.locator("figure").all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    page.locator("#slider").fill("1")
    shows(page, 1)
    shows(page, 1, run=1)
    keys = page.locator("#panels > *").first.locator(".curve").all_inner_texts()
    assert [key.split("\n")[0].split("/")[-1] for key in keys] == ["ended", "other"]
    rows = page.locator("#tables > *").nth(1).locator("tr").all_inner_texts()
    assert rows[1:] == ["epochs\t6\t3", "lambda_l1\t100\t7"]
    assert "different data" not in page.inner_text("body")
    other.data_file.write_text(other.data_file.read_text().replace('"1"', '"2"'))
    output("report", ended.folder, other.folder, "--out", tmp_path / "both.html", "--force")
    page.reload()
    assert "trained on different data" in page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_legible(scheme: str, width: int, ended: Run, opened: Opened) -> None:
    """Words and axes contrast with what is behind them, and nothing is wider than the window."""
    page = opened(ended.page_file, width=width, color_scheme=scheme)
    shades = """[...document.querySelectorAll("h1, h2, td, #state, text, .curve")].map((found) => {
        const style = getComputedStyle(found);
        const card = found.closest("section > *") || document.body;
        const ink = found.tagName === "text" ? style.fill : style.color;
        return [ink, getComputedStyle(card).backgroundColor];
    })"""
    for pair in page.evaluate(shades):
        light = [luminance([int(part) for part in re.findall(r"\d+", each)[:3]]) for each in pair]
        assert (max(light) + 0.05) / (min(light) + 0.05) > 4.5, pair
        assert (light[0] > light[1]) == (scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def luminance(colour: list[int]) -> float:
    """Return the relative luminance, as the guidelines for accessible pages have it."""
    linear = (np.array(colour) / 255) ** 2.2
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_page_that_is_broken_off_says_so(ended: Run, tmp_path: Path, opened: Opened) -> None:
    """In the browser; the command names the file, and makes it anew when told to."""
    run = Run(Path(shutil.copytree(ended.folder, tmp_path / "run")))
    whole = run.page_file.read_bytes()
    run.page_file.write_bytes(whole[: len(whole) // 2])
    page = opened(run.page_file)
    assert page.inner_text("body").startswith("This page is broken off; make it anew: pix2pix-ms")
    assert len(page.inner_text("body").splitlines()) == 1
    refusal("report", run.folder, about=f"{run.page_file} exists; ")
    output("report", run.folder, "--force")
    assert run.page_file.read_bytes() == whole.replace(b'"name":"ended"', b'"name":"run"')


@pytest.mark.usefixtures("light")
def test_a_training_writes_what_the_command_makes_of_its_folder(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    words = options(TINY | {"epochs": 2, "facades": 6, "samples": 1})
    said = output("train", *words, "--out", run.folder)
    assert said.splitlines()[-1].startswith(f"open {run.page_file}: every epoch's input, generated")
    trained = run.page_file.read_bytes()
    assert output("report", run.folder, "--force") == f"open {run.page_file}\n"
    assert run.page_file.read_bytes() == trained
    run.page_file.unlink()
    output("train", "--resume", "--out", run.folder)
    assert run.page_file.read_bytes() == trained


@pytest.mark.usefixtures("light")
def test_only_the_disk_can_end_a_training_for_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *options(TINY | {"epochs": 1, "facades": 6}), "--out")
    monkeypatch.setattr(pages, "panels", lambda _: 1 / 0)
    said = output(*words, tmp_path / "run").splitlines()
    warning = f"warning: {tmp_path}/run/report.html is not written: division by zero"
    assert said.count(warning) == 3  # after both epochs, and at the end
    full = OSError(errno.ENOSPC, "No space left on device", "report.html")
    monkeypatch.setattr(Page, "write", lambda *_, **__: (_ for _ in ()).throw(full))
    assert "No space left" in refusal(*words, tmp_path / "full", about="report.html")


def test_two_hundred_epochs_are_at_most_3_mb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grids as large as those of 256 pixels, of noise, which nothing makes small: some of them."""
    run, rng = grown(tmp_path / "run", 6, epochs=200, size=256), np.random.default_rng(0)
    for epoch in range(7):
        noise = rng.integers(0, 256, (404, 1122, 3), dtype=np.uint8)
        Image.fromarray(noise).save(run.sample_file(epoch))
    grids = [len(grid["webp"]) for grid in Page([run]).grids(run)]
    row = run.log()[-1]
    run.write_log([row | {"epoch": epoch} for epoch in range(201)])
    monkeypatch.setattr(Page, "grids", lambda *_: [])
    Page([run]).write(run.page_file)
    rest = run.page_file.stat().st_size
    assert rest + grids[0] + 6 * grids[6] + 195 * max(grids[1:6]) < 3e6


def test_mistakes_are_one_line(copied: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    line = refusal("report", tmp_path / "empty", about=f"{tmp_path}/empty: expected the folder of")
    assert line.endswith("name one that pix2pix-ms train has written")
    refusal("report", tmp_path / "nowhere", about=f"{tmp_path}/nowhere: expected the folder of a")
    words = ("report", copied.folder)
    for file, change in (
        (copied.config_file, lambda text: text.replace('"seed"', '"sown"')),
        (copied.data_file, lambda text: text.replace('"fingerprint"', '"print"')),
        (copied.log_file, lambda text: text.replace("0.25", "a quarter")),
    ):
        before = file.read_text()
        file.write_text(change(before))
        refusal(*words, about=f"{file}: expected")
        file.write_text(before)
    file = copied.sample_file(4)
    file.write_bytes(file.read_bytes()[:60])
    refusal(*words, about=f"{file}: expected a whole image, found a damaged one")
    refusal(*words, "--out", copied.log_file, "--force", about=f"{copied.log_file} is an input")
    assert not copied.page_file.exists()
    file.unlink()
    missing, last = output(*words).splitlines()
    assert missing == f"{file}: expected a sample grid, found none; that before is shown"
    assert last == f"open {copied.page_file}"
    shutil.rmtree(file.parent)
    refusal(*words, "--force", about=f"{copied.folder}: expected an epoch and its sample grid")
