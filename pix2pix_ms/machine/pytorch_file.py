"""PyTorch's weight files, read and written without PyTorch; reading one runs nothing in it.

A `.pth` contains pickles, and unpickling calls whatever they name. Here a name is refused, or is
that of something inert, so a file can describe tensors and nothing else. Both layouts are read: a
zip of one pickle and raw numbers (PyTorch 1.6 and later), and pickles in sequence with the raw
numbers behind them (before, and still on request).
"""

import io
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.files import appearing_whole

SUFFIXES = (".pth", ".pt")
MAGIC = 0x1950A86A20F9469CFC6C  # opens the older layout
MOST_OPCODES = 1_000_000  # a tensor takes about thirty
STORAGES = {  # PyTorch's kinds of storage, as numpy's types
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
    "LongStorage": "<i8", "IntStorage": "<i4",
}  # fmt: skip


class Inert:
    """An object that a pickle may make; its attempts to set attributes have no effect."""

    def __setstate__(self, _: object) -> None: ...


class Entries(Inert, dict):
    """In place of OrderedDict, which a state_dict is."""


class Storage(NamedTuple):
    """A storage in the file: its numpy type, key and number of elements."""

    dtype: str
    key: str
    length: int


class View(Inert):
    """In place of a tensor: a shape and strides (in elements) over a storage."""

    def __init__(self, storage: Storage, offset: int, shape: Any, strides: Any, *_: object) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self, raw: Mapping[str, bytes]) -> np.ndarray:
        """Return the tensor; numpy refuses a view that leaves its storage."""
        kind = np.dtype(self.storage.dtype)
        strides = [step * kind.itemsize for step in self.strides]
        offset = self.offset * kind.itemsize
        array: np.ndarray = np.ndarray(
            self.shape, kind, raw[self.storage.key], offset=offset, strides=strides
        )
        check(array.nbytes <= len(raw[self.storage.key]), "a few bytes that claim to be terabytes")
        return array


ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": Entries,
    "torch._utils._rebuild_tensor": View,  # before PyTorch 0.4
    "torch._utils._rebuild_tensor_v2": View,
    **{f"torch.{kind}": dtype for kind, dtype in STORAGES.items()},
}


class Unpickler(pickle.Unpickler):
    """Reads one pickle and notes which storages its tensors need."""

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file)
        self.path = path
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the inert class for a name, or refuse it; nothing is ever imported."""
        wanted = f"{module}.{name}"
        if wanted not in ALLOWED:
            raise Pix2PixError(
                f"{self.path}: expected the tensors of a state_dict, found a pickle that wants "
                f"{wanted[:80]!r}; nothing was run. "
                "If you trust the file, save network.state_dict() alone"
            )
        return ALLOWED[wanted]

    def persistent_load(self, place: Any) -> Storage:
        """Return the storage that a pickle refers to: (storage, kind, key, device, length)."""
        _, dtype, key, _, length, *view = place  # before PyTorch 1.6 also a view
        check(dtype in STORAGES.values(), "numbers of another type")
        storage = Storage(dtype, key, length)
        fits = not any(view) and self.storages.setdefault(key, storage) == storage
        check(fits, "storages that overlap")
        return storage


def load(file: io.BytesIO, path: Path) -> tuple[Any, dict[str, Storage]]:
    """Read the pickle that begins here: what it describes, and the storages it needs.

    Its opcodes are checked first: CPython 3.11 mishandles some pickles that are cut short, and
    makes its memo as large as a number in the file says.
    """
    start = file.tell()
    for count, (opcode, argument, place) in enumerate(pickletools.genops(file)):
        check(count < MOST_OPCODES, "a pickle of far more than tensors")
        if opcode.name.endswith("PUT"):
            check(int(argument or 0) <= (place or 0), "a memo larger than the file")
    file.seek(start)
    unpickler = Unpickler(file, path)
    return unpickler.load(), unpickler.storages


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state_dict by name, in the number types they were saved in.

    Raises:
        Pix2PixError: if there is no such file, it is damaged, or wants more than tensors.
    """
    if not path.is_file():
        raise Pix2PixError(f"{path}: expected PyTorch weights, found no file; check the path")
    content = path.read_bytes()
    layout = read_zip if content.startswith(b"PK") else read_sequence
    try:
        state, raw = layout(content, path)
        if not isinstance(state, dict) or not all(isinstance(v, View) for v in state.values()):
            raise Pix2PixError(
                f"{path}: expected a state_dict, tensors by name, found something else; "
                "save network.state_dict() alone"
            )
        check(all(name.isprintable() for name in state), "names that would not stay in a line")
        return {name: view.array(raw) for name, view in state.items()}
    except Pix2PixError:
        raise
    except Exception as error:  # what a damaged pickle raises is anyone's guess
        raise Pix2PixError(
            f"{path}: expected PyTorch weights, found a damaged file or none of PyTorch's; "
            "copy it again, or save it again with torch.save(network.state_dict(), path)"
        ) from error


def read_zip(content: bytes, path: Path) -> tuple[Any, dict[str, bytes]]:
    """Read the layout of PyTorch 1.6 and later: NAME/data.pkl, and NAME/data/KEY by storage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        check(stored, "compression, which PyTorch never uses and bombs do")
        (listing,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = listing.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            check(archive.read(f"{folder}byteorder") == b"little", "big-endian numbers")
        state, storages = load(io.BytesIO(archive.read(listing)), path)
        raw = {key: archive.read(f"{folder}data/{key}") for key in storages}
    return state, raw


def read_sequence(content: bytes, path: Path) -> tuple[Any, dict[str, bytes]]:
    """Read the older layout: magic number, version, machine, state, keys, then every storage."""
    file = io.BytesIO(content)
    check(load(file, path)[0] == MAGIC, "another kind of file")
    load(file, path)
    check(load(file, path)[0]["little_endian"], "big-endian numbers")
    state, storages = load(file, path)
    raw = {}
    for key in load(file, path)[0]:
        storage = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        check(count == storage.length, "a storage of another length")
        raw[key] = file.read(count * np.dtype(storage.dtype).itemsize)
    return state, raw


def check(holds: bool, found: str) -> None:
    """Raise an error for what cannot be read, which `read` reports as a damaged file."""
    if not holds:
        raise ValueError(found)


def write(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write a state_dict of float32 and int64 arrays as PyTorch 1.6 and later do.

    `torch.load` reads it, with weights_only=True too. The file appears when whole.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    folder = path.stem
    entries = {"data.pkl": pickled(arrays), "byteorder": b"little", "version": b"3\n"}
    entries |= {f"data/{key}": array.tobytes() for key, array in enumerate(arrays.values())}
    with appearing_whole(path) as writing, zipfile.ZipFile(writing, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}"), content)  # dated 1980, as theirs


def pickled(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the pickle of a state_dict whose n-th tensor is the whole of storage n."""
    entries = [
        spelled(name) + tensor(array, str(key)) for key, (name, array) in enumerate(arrays.items())
    ]
    filled = pickle.MARK + b"".join(entries) + pickle.SETITEMS
    return pickle.PROTO + b"\x02" + EMPTY + filled + pickle.STOP


def tensor(array: np.ndarray, key: str) -> bytes:
    """Return the opcodes that rebuild a tensor: storage, offset, shape, strides, no gradient."""
    (kind,) = [kind for kind, dtype in STORAGES.items() if dtype == array.dtype.str]
    place = ("storage", named("torch", kind), key, "cpu", array.size)
    strides = tuple(step // array.itemsize for step in array.strides)
    storage = spelled(place) + pickle.BINPERSID
    arguments = (storage, 0, array.shape, strides, pickle.NEWFALSE, EMPTY)
    return named("torch._utils", "_rebuild_tensor_v2") + spelled(arguments) + pickle.REDUCE


def named(module: str, name: str) -> bytes:
    """Return the opcode of a name that the reader looks up."""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


EMPTY = named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE


def spelled(value: str | int | tuple | bytes) -> bytes:
    """Return the opcodes of text, an integer or a tuple of such; bytes are opcodes already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(spelled(part) for part in value) + pickle.TUPLE
    return pickle.dumps(value, 2)[2:-1]  # without the protocol and the end
