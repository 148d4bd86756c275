#!/usr/bin/env python3
"""Paints, stylises and trains a small set with two builds of impasto and says whether the results are the same bits.

    python3 tools/same_results.py BEFORE AFTER

BEFORE and AFTER are two binaries. Needs Pillow and numpy. Pictures are compared pixel by pixel, since the settings that
are stored in them may be written differently; models tensor by tensor.
"""

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = Path(__file__).resolve().parent.parent / "examples" / "pictures"
PHOTO, STYLE, OTHER = PICTURES / "coffee.png", PICTURES / "starry-night.jpg", PICTURES / "chelsea.png"


def paint(*flags):
    return ["paint", PHOTO, "--style", STYLE, "--threads", "2", "-q", *flags, "-o", "out.png"]


def stylize(*flags):
    return ["stylize", OTHER, "--threads", "2", "-q", *flags, "-o", "out.png"]


CASES = {
    "paint article": paint("--preset", "article", "--size", "96", "-n", "12"),
    "paint default": paint("--size", "181", "-n", "6"),
    "paint fast, adam": paint("--preset", "fast", "--size", "160", "-n", "6", "--optimizer", "adam"),
    "paint best, tiles": paint("--preset", "best", "--size", "320", "-n", "2", "--memory", "330MiB", "--scales", "1"),
    "paint gram, histogram": paint("--style-loss", "gram", "--colors", "histogram", "--size", "128", "-n", "5"),
    "paint two styles": paint("--style", OTHER, "--size", "128", "-n", "5", "--strength", "0.7", "--init", "noise"),
    **{f"stylize {name}": stylize("-s", name) for name in ("starry-night", "great-wave", "the-scream")},
    "stylize blend, strips": stylize("-s", "starry-night:2", "-s", "shipwreck", "--size", "1600", "--memory", "260MiB"),
    "stylize strokes": stylize("-s", "composition-vii", "--stroke-size", "0.7", "--strength", "0.6"),
}


def model(path):
    """The tensors of a safetensors file, as bytes by name."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    head.pop("__metadata__", None)
    start = 8 + length
    return {name: data[start + t["data_offsets"][0] : start + t["data_offsets"][1]] for name, t in head.items()}


def run(binary, args, folder):
    subprocess.run([binary, *map(str, args)], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def trained(binary):
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for i in range(12):
            Image.open(PICTURES / ("coffee.png", "chelsea.png")[i % 2]).convert("RGB").resize((90 + i, 70)).save(photos / f"{i}.png")
        small = ["--image-size", "64", "--style-size", "96", "--width", "16", "--residual-blocks", "2", "--batch", "2"]
        run(binary, ["train", "-s", f"a={STYLE}", f"b={OTHER}", "--photos", photos, "--steps", "6", "--threads", "2", "-q",
                     "-o", "m.safetensors", *small], folder)
        return model(Path(folder) / "m.safetensors")


def picture(binary, args):
    with tempfile.TemporaryDirectory() as folder:
        run(binary, args, folder)
        return np.asarray(Image.open(Path(folder) / "out.png"))


def main():
    before, after = (str(Path(binary).resolve()) for binary in sys.argv[1:3])
    different = 0
    for name, args in CASES.items():
        a, b = picture(before, args), picture(after, args)
        same = a.shape == b.shape and (a == b).all()
        different += not same
        print(f"{name:24} {'the same' if same else 'DIFFERENT'}", flush=True)
    same = trained(before) == trained(after)
    different += not same
    print(f"{'train':24} {'the same' if same else 'DIFFERENT'}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
