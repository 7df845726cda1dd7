"""Archives and weights from elsewhere, damaged or hostile: refused by name, and nothing is run.

What a server may do to a download (cut it short, change it, go on with it, refuse it) is tested in
tests/data/test_download.py, each hostile member of an archive too; what a pickle may try in
tests/exchange/test_convert.py. Here are the numbers.
"""

import io
import os
import pickle
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from harness import count
from judge import Judge, damaged

from pix2pix_ms.machine import pytorch_file


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as started:
        yield started


def archive(**members: bytes) -> bytes:
    """A data set as it is published, a tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_damaged_archives(judge: Judge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content = archive(**{f"facades/train/{n}.jpg": rng.bytes(3000) for n in range(4)})
    ends: Counter[str] = Counter()
    (tmp_path / "whole.tar.gz").write_bytes(content)
    expected = judge.outcome("unpacked", tmp_path / "whole.tar.gz", tmp_path / "whole")
    assert expected.how == "fine", expected.what
    for number in range(count(40, 200)):
        place = tmp_path / str(number)
        place.mkdir()
        file = place / "facades.tar.gz"
        file.write_bytes(damaged(content, np.random.default_rng(number)))
        end = judge.check(("unpacked", file, place), [file], expected.what)
        assert sorted(p.name for p in place.iterdir()) == ["facades"] * (end == "fine") + [
            file.name
        ]
        ends[end] += 1
    assert ends["told"] > count(20, 100)


def test_a_bomb_is_refused_before_it_fills_the_disk(judge: Judge, tmp_path: Path) -> None:
    """300 MB of zeros in 300 kB."""
    file = tmp_path / "facades.tar.gz"
    file.write_bytes(archive(**{"facades/train/1.jpg": bytes(300 << 20)}))
    assert file.stat().st_size < 1 << 20
    assert judge.check(("unpacked", file, tmp_path), [file], None) == "told"
    assert list(tmp_path.iterdir()) == [file]


def test_damaged_weights(judge: Judge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"model.{n}.weight": rng.standard_normal((8, 4, 4)).astype("f4") for n in range(5)}
    whole = tmp_path / "whole.pth"
    pytorch_file.write(arrays, whole)
    expected = judge.outcome("weights", whole)
    assert expected.how == "fine", expected.what
    for number in range(count(100, 500)):
        file = tmp_path / f"{number}.pth"
        file.write_bytes(damaged(whole.read_bytes(), np.random.default_rng(number)))
        judge.check(("weights", file), [file], expected.what)
        file.unlink()


def test_a_very_long_pickle_is_refused_in_time(judge: Judge, tmp_path: Path) -> None:
    """Twenty million times None."""
    file = tmp_path / "latest_net_G.pth"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("latest_net_G/data.pkl", b"\x80\x02(" + b"N" * 20_000_000 + b"t.")
    assert judge.check(("weights", file), [file], None) == "told"


class Touch:
    """Unpickled by PyTorch without weights_only, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.path}'",)


def test_a_pickle_that_runs_a_command_does_not(judge: Judge, tmp_path: Path) -> None:
    """The same file does run it where it is trusted, or this would prove nothing."""
    file, ran = tmp_path / "latest_net_G.pth", tmp_path / "ran"
    file.write_bytes(pickle.dumps({"weight": Touch(ran)}))
    assert judge.check(("weights", file), [file], None) == "told"
    assert not ran.exists()
    pickle.loads(file.read_bytes())
    assert ran.exists()
