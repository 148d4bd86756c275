"""Runs the binary over 1,000 hostile pictures, models, settings and checkpoints, within a limit of memory set from
outside.

    cargo build --release
    python3 tools/hostile_batch.py [--binary FILE] [--count 1000] [--seed 1] [--memory 2048] [--timeout 120]
        [--jobs 2] [--keep FOLDER] [--json FILE]

More than half are made by hand: bombs, sizes and lengths that are not there, files cut short, wrong endings, names that hold
escapes. The others are mutations of the repository's fixtures. Each is given to a command that reads such a file, in a
process whose address space is limited (RLIMIT_AS, in MiB). The batch fails where one ends with anything but 0 or 2, by
a signal, or not in time; where it panics; or where a control character of a file's name comes out. It needs Linux and
Python alone. Those that failed stay in the folder `--keep`.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "crates/impasto/tests/pictures/files"
MODELS = [ROOT / "crates/impasto-nn/tests/fixtures", ROOT / "crates/impasto-nn/tests/styles"]
PICTURE_ENDINGS = {".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp", ".ppm", ".pgm"}
MODEL_ENDINGS = {".safetensors", ".pth", ".pt", ".pkl", ".mat", ".onnx", ".npz", ".model"}
NUMBERS = [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 40_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]

parser = argparse.ArgumentParser()
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
parser.add_argument("--count", type=int, default=1000)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--memory", type=int, default=2048, metavar="MIB", help="address space of a process")
parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS")
parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at once")
parser.add_argument("--keep", type=Path, default=Path("hostile-failures"), help="where what failed is kept")
parser.add_argument("--json", type=Path, metavar="FILE", help="what came of each")
args = parser.parse_args()
BINARY = str(Path(args.binary).resolve())


# --- files made by hand -------------------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, kind, data, *more):
    """A PNG whose picture is these bytes before compression; further chunks stand before it."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", zlib.compress(data, 9))
            + chunk(b"IEND", b""))


@functools.cache
def zeros(length):
    """So many zeros, compressed a piece at a time."""
    deflate, parts = zlib.compressobj(9), []
    piece = bytes(1 << 20)
    for _ in range(length // len(piece)):
        parts.append(deflate.compress(piece))
    return b"".join(parts) + deflate.compress(bytes(length % len(piece))) + deflate.flush()


def png_of_zeros(width, height, depth, kind, bits):
    """A PNG of this size that is whole, and all zeros."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zeros(height * (1 + (width * bits + 7) // 8)))
            + chunk(b"IEND", b""))


def text_bomb(length, keyword=b"impasto:settings"):
    body = keyword + b"\0\1\0\0\0" + zeros(length)
    return png(16, 16, 8, 2, bytes(16 * 49), chunk(b"iTXt", body))


def bmp(width, height, data=b""):
    return (b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + data)


def jpeg(width, height):
    """The head of a JPEG of this size, without any data."""
    start = struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x22\0\x02\x11\1\x03\x11\1"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(start)) + start + b"\xff\xda\0\x0c\x03\1\0\2\x11\3\x11\0\x3f\0"


def tiff(width, height, strip=0xFFFFFFF0):
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
               (278, 4, height), (279, 4, strip)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + bytes(4)


def gif(width, height):
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"," + struct.pack(
        "<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


def webp(width, height):
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", bits) + bytes(5)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def torch(numel, size, stride, entry=b"", announced=None):
    """A .pth of one tensor. `announced` is the length that the archive's directory says."""
    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value

    def number(value):
        length = (value.bit_length() // 8) + 1
        return b"\x8a" + bytes([length]) + value.to_bytes(length, "little")

    pickle = (b"\x80\x02}(" + text(b"0.weight") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage")
              + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu") + number(numel) + b"tQK\0("
              + b"".join(map(number, size)) + b"t(" + b"".join(map(number, stride)) + b"t\x89ccollections\n"
              + b"OrderedDict\n)RtRu.")
    return archive({b"archive/data.pkl": (pickle, None), b"archive/data/0": (entry, announced),
                    b"archive/version": (b"3\n", None)})


def archive(entries):
    """A zip archive of deflated entries, each of which may announce another length than it has, in 64 bits."""
    body, directory = b"", b""
    for name, (data, announced) in entries.items():
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(data) + deflate.flush()
        extra = struct.pack("<HHQQ", 1, 16, len(data) if announced is None else announced, len(packed))
        common = struct.pack("<HHHHHIIIHH", 45, 0, 8, 0, 33, zlib.crc32(data), 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra))
        directory += (b"PK\1\2\x2d\0" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name + extra)
        body += b"PK\3\4" + common + name + extra + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_of(tensors):
    return b"\x08\x08" + field(7, b"".join(field(5, tensor) for tensor in tensors))


def onnx_files():
    """ONNX files whose repeated fields, shapes or nesting are not what they should be."""
    shape = varint(1 << 3) + varint(1 << 62)
    yield onnx_of([shape * 4 + b"\x10\x01" + field(8, b"w") + field(9, b"")])
    yield onnx_of([b"\x08\x01\x10\x01" + field(8, b"w") + field(9, bytes(4))] * 20_000)
    yield onnx_of([b"\x08\x00" * 500_000 + b"\x10\x01" + field(8, b"w")])
    yield onnx_of([b"\x10\x01" + field(8, b"w" * 1_000_000) + field(4, b"\0" * 4_000_000)])
    yield b"\x08\x08" + field(7, field(1, b"") * 1_000_000)
    yield b"\x08\x08" + varint(7 << 3 | 2) + varint(1 << 40)
    deep = b""
    for _ in range(2000):
        deep = field(7, deep)
    yield b"\x08\x08" + deep


def matlab_files():
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM"
    yield head + struct.pack("<II", 15, 1 << 31) + bytes(100)
    yield head + struct.pack("<II", 15, len(bomb := zeros(1 << 28))) + bomb
    yield head + struct.pack("<II", 14, 0xFFFFFFF8) + struct.pack("<IIII", 6, 8, 6, 0) + bytes(64)
    array = (struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, 0x7FFFFFFF, 0x7FFFFFFF)
             + struct.pack("<II", 1, 1) + b"a".ljust(8, b"\0") + struct.pack("<II", 7, 8) + bytes(8))
    yield head + struct.pack("<II", 14, len(array)) + array
    inner = b""
    for _ in range(400):
        body = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<II", 1, 0) + inner
        inner = struct.pack("<II", 14, len(body)) + body
    yield head + inner


def picture_bombs():
    """Pictures that say that they are large: nearly all are short files."""
    for side in [9_000, 15_000, 24_000, 40_000]:
        yield "png", png_of_zeros(side, side, 1, 0, 1)
    yield "png", png_of_zeros(9_000, 9_000, 8, 2, 24)
    yield "png", png_of_zeros(5_000, 5_000, 16, 6, 64)
    yield "png", png_of_zeros(1_000_000, 100, 1, 0, 1)
    yield "png", png_of_zeros(8, 4_000_000, 1, 0, 1)
    for width, height in [(24_000, 24_000), (0x7FFFFFFF, 0x7FFFFFFF), (0x7FFFFFFF, 1), (65_535, 65_535), (0, 0), (0, 9)]:
        yield "png", png(width, height, 8, 2, bytes(100))
        yield "bmp", bmp(width, height)
        yield "bmp", bmp(width, -height)
        yield "tiff", tiff(width, height)
        yield "tiff", tiff(width, height, 4)
        yield "ppm", f"P6 {width} {height} 255\n".encode()
        yield "pgm", f"P5 {width} {height} 65535\n".encode() + bytes(50)
        yield "ppm", f"P3 {width} {height} 255\n".encode() + b"0 " * 50
    for side in [65_535, 30_000, 9_000, 1, 0]:
        yield "jpg", jpeg(side, side)
        yield "gif", gif(side, side)
    for side in [16_383, 16_384, 9_000]:
        yield "webp", webp(side, side)
    for length in [1 << 20, 1 << 26, 1 << 29]:
        yield "png", text_bomb(length)
        yield "png", png(16, 16, 8, 2, bytes(16 * 49), chunk(b"zTXt", b"a\0\0" + zeros(length)))
        yield "png", png(16, 16, 8, 2, bytes(16 * 49), chunk(b"iCCP", b"a\0\0" + zeros(length)))
        yield "png", png(16, 16, 8, 2, bytes(16 * 49), chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(length)))


def model_bombs():
    """Models that say that they are large."""
    huge = {"w": {"dtype": "F32", "shape": [1 << 40, 1 << 30], "data_offsets": [0, 4]}}
    yield "safetensors", safetensors(huge, bytes(4))
    yield "safetensors", safetensors(b"{}", length=(1 << 64) - 1)
    yield "safetensors", safetensors(b"{}", length=1 << 40)
    yield "safetensors", safetensors(b"[" * 1_000_000)
    yield "safetensors", safetensors(b'{"a":' * 100_000)
    yield "safetensors", safetensors({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                                      for i in range(50_000)})
    yield "safetensors", safetensors({"w": {"dtype": "F32", "shape": [4], "data_offsets": [8, 0]}}, bytes(16))
    for announced in [None, 1 << 36, 1 << 28]:
        for numel, size, stride in [(1, [1 << 34], [0]), (1 << 34, [64, 3, 1 << 14, 1 << 14], [0, 0, 0, 0]),
                                    (1 << 62, [1 << 31, 1 << 31], [1 << 31, 1]), (16, [64, 3, 3, 3], [27, 9, 3, 1])]:
            yield "pth", torch(numel, size, stride, bytes(64), announced)
    yield "pth", torch(1 << 26, [1 << 26], [1], bytes(1 << 28))
    yield "pth", b"\x80\x02" + b"(" * 2_000_000 + b"."
    yield "pth", b"\x80\x02" + b"]" + b"2" * 500_000 + b"."
    yield "pth", b"\x80\x02X" + struct.pack("<I", 0xFFFFFFFF)
    yield "pth", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60)
    for data in onnx_files():
        yield "onnx", data
    for data in matlab_files():
        yield "mat", data


def settings_files():
    yield b"size = 99999999999999999999\n"
    yield b"size = 18446744073709551615\n"
    yield b"size = -1\n"
    yield b"style_weight = nan\n"
    yield b"content_weight = 1e400\n"
    yield b"iterations = 0\n"
    yield b"scales = 18446744073709551615\nmin_size = 0\n"
    yield b"memory = '99999999999TiB'\n"
    yield b"style = [" + b"'a'," * 200_000 + b"]\n"
    yield b"a = " + b"[" * 100_000
    yield b"a." * 100_000 + b"b = 1\n"
    yield b"size = 8 # \x1b]0;hello\x07\n"
    yield b"'\x1b[31m' = 8\n"
    yield "größe = 8\n".encode("latin-1")
    yield b"\xff\xfes\0i\0z\0e\0"
    yield b"content_layers = '" + b"conv1_1=1," * 100_000 + b"'\n"
    yield b"content = '/dev/zero'\n"
    yield b""


def names():
    """File names that would do something to a terminal, or to the command line."""
    escape = ["\x1b]0;owned\x07", "\x1b[2J\x1b[31m", "a\nb", "a\rb", "a\tb", "\u202egnp", "\x9b31m", "-o", "--help", "a%sb",
              "$(touch x)", "a'b\"c", "*", "[a]", "ü" * 100, "x" * 240, " ", "\x7f", "con", "a#b", "b:2", "http:x"]
    return [name.encode() for name in escape] + [b"\xff\xfe\x80", b"\xc3("]


# --- what is done with them ---------------------------------------------------------------------------------------

def mutant(chance, seeds):
    """One of the seeds with up to eight changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(7):
            case 0:
                data[at:at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at:]
            case 2:
                del data[at:at + chance.randint(1, 64)]
            case 3:
                data[at:at] = data[at:at + chance.randint(1, 64)] * chance.randint(1, 50)
            case 4:
                data[at:at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(NUMBERS))
            case 5:
                data[at:at + 2] = struct.pack(chance.choice("<>") + "H", chance.choice(NUMBERS) & 0xFFFF)
            case 6:
                other = chance.choice(seeds)
                data[at:at + 200] = other[at:at + 200]
    return bytes(data)


def seeds(folders, endings):
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.suffix in endings]
    return [(file.suffix[1:], file.read_bytes()) for file in files if file.stat().st_size < 400_000]


def checkpoints(folder):
    """The checkpoints of paintings that were stopped, one with each optimiser."""
    shutil.copy(PICTURES / "plain.png", folder / "photo.png")
    shutil.copy(PICTURES / "matrix.png", folder / "style.png")
    return [checkpoint(folder, optimizer) for optimizer in ["adam", "lbfgs"]]


def checkpoint(folder, optimizer):
    name = folder / "kept.safetensors"
    name.unlink(missing_ok=True)
    command = ["paint", "photo.png", "--style", "style.png", "-o", "out.png", "--checkpoint", name.name,
               "--checkpoint-every", "0.001", "--optimizer", optimizer, "-n", "30", "--scales", "1", "--threads", "1",
               "--size", "16", "-q"]
    process = subprocess.Popen([BINARY, *command], cwd=folder, stderr=subprocess.DEVNULL)
    kept, until = b"", time.monotonic() + 120
    while not kept and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
        kept = name.read_bytes() if name.exists() else b""
    process.send_signal(signal.SIGINT)
    process.wait()
    return kept or sys.exit("no checkpoint was written within 120 seconds")


def changed_checkpoint(chance, kept):
    """A checkpoint that is whole and says something else: lengths, numbers, settings."""
    length = struct.unpack("<Q", kept[:8])[0]
    header, data = json.loads(kept[8:8 + length]), bytearray(kept[8 + length:])
    texts = header.pop("__metadata__")
    tensors = {name: [of["dtype"], bytearray(data[slice(*of["data_offsets"])])] for name, of in header.items()}
    sizes = {"F16": 2, "F32": 4, "F64": 8}
    match chance.randrange(6):
        case 0:
            tensors[chance.choice(list(tensors))][1] = bytearray()
        case 1:
            tensors.pop(chance.choice(list(tensors)))
        case 2:
            dtype, values = tensors[chance.choice(list(tensors))]
            values[:sizes[dtype] * 2] = b"\xff" * min(len(values), sizes[dtype] * 2)
        case 3:
            _, values = chance.choice([of for of in tensors.values() if of[0] == "F64"])
            at = chance.randrange(max(1, len(values) // 8)) * 8
            values[at:at + 8] = struct.pack("<d", chance.choice([-1.0, 1e300, 3.0, 0.0, float("nan"), float("inf")]))
        case 4:
            progress = json.loads(texts["progress"])
            scale = chance.choice(progress["scales"])
            of, key = chance.choice([(progress, "scale"), (progress, "iteration"), (scale, "height"), (scale, "width"),
                                     (scale, "iterations"), (progress["plans"][0], "peak")])
            # A painting of very many iterations is no harm: it can be stopped.
            numbers = [0, 1, 31] if key == "iterations" else [0, 1, 31, 1 << 20, (1 << 63) - 1, (1 << 64) - 1]
            of[key] = chance.choice(numbers)
            texts["progress"] = json.dumps(progress)
        case 5:
            lines = texts["settings"].splitlines()
            line = chance.randrange(len(lines))
            value = chance.choice(["0", "-1", "1e308", "'x'", "[]", "9999999999"])
            lines[line] = f"{lines[line].split('=')[0]}= {value}"
            texts["settings"] = "\n".join(lines)
    made, body = {"__metadata__": texts}, b""
    for name, (dtype, values) in tensors.items():
        offsets = [len(body), len(body) + len(values)]
        made[name] = {"dtype": dtype, "shape": [len(values) // sizes[dtype]], "data_offsets": offsets}
        body += values
    return safetensors(made, body)


def plan(chance, folder):
    """Name, bytes and command of each file; `FILE` in the command is its path."""
    pictures, models = seeds([PICTURES], PICTURE_ENDINGS), seeds(MODELS, MODEL_ENDINGS)
    kept = checkpoints(folder)
    good = str(folder / "photo.png")
    quick = ["--threads", "1", "-q"]
    stylize = ["stylize", "FILE", "--style", "starry-night", "--size", "64", "--memory", "500MiB", "-o", "OUT", *quick]
    paint = ["paint", "--size", "32", "-n", "1", "--scales", "1", "--memory", "500MiB", "-o", "OUT", *quick]
    of_picture = [stylize, ["show", "FILE"], [*stylize, "--keep-metadata"], [*paint, "FILE", "--style", good],
                  [*paint, good, "--style", "FILE"], [*paint[:-1], "--plan", "--again", "FILE"],
                  [*stylize[:4], "--memory", "500MiB", "-o", "OUT", *quick]]
    of_model = [["models", "show", "FILE"], ["models", "import", "FILE", "-o", "OUT.safetensors"],
                ["stylize", good, "--style", "FILE", "-o", "OUT", *quick],
                [*paint, good, "--style", good, "--network", "FILE"]]
    of_settings = [["paint", "--config", "FILE", "--print-config"], ["train", "--config", "FILE", "--print-config"]]
    of_checkpoint = [["paint", "--resume", "FILE", "-q"], ["models", "show", "FILE"]]
    made = []
    for ending, data in picture_bombs():
        made += [(b"bomb." + ending.encode(), data, command) for command in chance.sample(of_picture, 3)]
    for ending, data in model_bombs():
        made += [(b"bomb." + ending.encode(), data, command) for command in chance.sample(of_model, 3)]
    for data in settings_files():
        made += [(b"settings.toml", data, command) for command in of_settings]
    for name in names():
        made.append((name + b".png", chance.choice(pictures)[1], chance.choice(of_picture)))
        made.append((name + b".safetensors", mutant(chance, [chance.choice(models)[1]]), chance.choice(of_model)))
        made.append((name + b".toml", b"unknown = 1\n", of_settings[0]))
    chance.shuffle(made)
    del made[args.count * 6 // 10:]
    settings = [data for data in settings_files() if len(data) < 1000] + [kept_text.encode() for kept_text in TEXTS]
    kinds = [(pictures, of_picture)] * 5 + [(models, of_model)] * 4
    while len(made) < args.count:
        sort = chance.randrange(12)
        if sort < 9:
            found, commands = kinds[sort]
            ending = chance.choice(found)[0]
            alike = [data for other, data in found if other == ending]
            name = chance.choice([ending, ending, ending, chance.choice(found)[0]])
            made.append((b"file." + name.encode(), mutant(chance, alike), chance.choice(commands)))
        elif sort == 9:
            made.append((b"settings.toml", mutant(chance, settings), chance.choice(of_settings)))
        else:
            data = changed_checkpoint(chance, chance.choice(kept)) if chance.random() < 0.8 else mutant(chance, kept)
            made.append((b"out-checkpoint.safetensors", data, of_checkpoint[chance.random() < 0.1]))
    return made


TEXTS = ["size = 64\niterations = 3\nstyle_weight = 2.0\ncontent_layers = 'conv4_2'\ncolors = 'content'\n"]


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (args.memory << 20, args.memory << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wait(process):
    """Status and peak of memory, in MiB; the process is killed when its time is over."""
    until = time.monotonic() + args.timeout
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            return status, usage.ru_maxrss / 1024
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            return None, os.wait4(process.pid, 0)[2].ru_maxrss / 1024
        time.sleep(0.02)


def tried(folder, number, name, data, command):
    """Runs one file and says what came of it."""
    own = folder / str(number)
    own.mkdir()
    for input in ["photo.png", "style.png"]:
        shutil.copy(folder / input, own / input)
    path = os.fsencode(own) + b"/" + name
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError:  # a name that this file system does not take
        return None
    words = {"FILE": path, "OUT": os.fsencode(own / "result.png"), "OUT.safetensors": os.fsencode(own / "r.safetensors")}
    line = [words.get(word, os.fsencode(word)) for word in command]
    begun = time.monotonic()
    with open(own / "out", "wb") as out, open(own / "err", "wb") as err:
        process = subprocess.Popen([os.fsencode(BINARY), *line], cwd=own, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   preexec_fn=limited, start_new_session=True)
        status, peak = wait(process)
        process.returncode = 0  # it has been waited for
    said = (own / "err").read_bytes() + (own / "out").read_bytes()
    code = None if status is None else os.waitstatus_to_exitcode(status)
    wrong = []
    if code is None:
        wrong.append("time-out")
    elif code < 0:
        wrong.append(f"signal {-code}")
    elif code not in (0, 2):
        wrong.append(f"exit {code}")
    if b"panicked at" in said:
        wrong.append("panic")
    if any(byte in said for byte in [b"\x1b", b"\x07", b"\x9b31m"]):
        wrong.append("control characters")
    found = {"number": number, "name": repr(name), "bytes": len(data), "command": [os.fsdecode(word) for word in line],
             "code": code, "seconds": round(time.monotonic() - begun, 2), "peak_mib": round(peak), "wrong": wrong,
             "said": said[-400:].decode(errors="backslashreplace")}
    if wrong:
        args.keep.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(args.keep / str(number), ignore_errors=True)
        shutil.copytree(own, args.keep / str(number))
    shutil.rmtree(own)
    return found


def main():
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        files = plan(chance, folder)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as crew:
            jobs = [crew.submit(tried, folder, number, *file) for number, file in enumerate(files)]
            results = []
            for job in concurrent.futures.as_completed(jobs):
                found = job.result()
                if found is None:
                    continue
                results.append(found)
                if found["wrong"]:
                    print(f"{found['number']}: {', '.join(found['wrong'])}: {' '.join(found['command'])!r}", flush=True)
    codes = [found["code"] for found in results]
    print(f"{len(results)} files: {codes.count(0)} ended with 0, {codes.count(2)} with 2, "
          f"{sum(bool(found['wrong']) for found in results)} wrong; the most memory {max(f['peak_mib'] for f in results)} "
          f"MiB, the longest {max(f['seconds'] for f in results):.1f} s")
    if args.json:
        args.json.write_text(json.dumps(sorted(results, key=lambda found: found["number"]), indent=1) + "\n")
    sys.exit(any(found["wrong"] for found in results))


if __name__ == "__main__":
    main()
