"""Archives and weights from elsewhere, damaged or hostile: refused by name, and nothing is run.

What a server may do to a download (cut it short, change it, go on with it, refuse it) is tested in
tests/data/test_download.py, each hostile member of an archive too; what a pickle may try in
tests/exchange/test_convert.py. Here are the numbers.
"""

import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from harness import count
from judge import Judge, damaged

from pix2pix_ms.machine import pytorch_file


def test_damaged_archives(judge: Judge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "facades" / "train").mkdir(parents=True)
    for number in range(4):
        (tmp_path / f"facades/train/{number}.jpg").write_bytes(rng.bytes(3000))
    with tarfile.open(whole := tmp_path / "whole.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "facades", "facades")
    expected = judge.outcome("unpacked", whole, tmp_path / "whole")
    assert expected.how == "fine", expected.what
    ends: Counter[str] = Counter()
    for number in range(count(40, 200)):
        place = tmp_path / str(number)
        place.mkdir()
        file = place / "facades.tar.gz"
        file.write_bytes(damaged(whole.read_bytes(), np.random.default_rng(number)))
        end = judge.check(("unpacked", file, place), [file], expected.what)
        left = ["facades"] * (end == "fine") + [file.name]
        assert sorted(path.name for path in place.iterdir()) == left
        ends[end] += 1
    assert ends["told"] > count(20, 100)


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
