"""crowsonkb/style-transfer-pytorch with its own code and defaults: the rival of `tools/compare_best.py`.

    git clone https://github.com/crowsonkb/style-transfer-pytorch
    python tools/rival_paint_w2_torch.py --checkout style-transfer-pytorch --content C.png --style S.jpg --out out.png

needs torch, torchvision, numpy, pillow, safetensors and tqdm. One thing is not its own: the VGG19 of Simonyan &
Zisserman that impasto has stands in place of torchvision's, so that both programs see the same features. Each of its
layers is scaled to a mean activation of 1 over the photographs of `examples/pictures`, as Gatys et al. 2015 scaled
theirs, because that program's weights are made for activations of about that size; the first convolution takes red,
green and blue of torchvision's normalisation.

`--steps N` makes N steps at each size rather than its own 1000 and 500. Prints one line of JSON: seconds in all, and for
each size the steps and the seconds of one.
"""

import argparse
import importlib
import json
import sys
import time
import types
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--checkout", type=Path, required=True, help="a clone of crowsonkb/style-transfer-pytorch")
parser.add_argument("--content", required=True)
parser.add_argument("--style", required=True)
parser.add_argument("--out")
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--steps", type=int)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from torchvision import models

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = load_file(ROOT / "crates/impasto-nn/weights/vgg19-codebook8.safetensors")
NAMES = [f"conv{block}_{i}" for block, count in enumerate([2, 2, 4, 4, 4], 1) for i in range(1, count + 1)]
SCALED_ON = [ROOT / "examples/pictures" / name for name in ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"]]
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
VGG_MEAN = torch.tensor([123.68, 116.779, 103.939])

# A GPU shall compute what the CPU does.
torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False


def normalised(path):
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((384, 384), Image.BICUBIC)
    x = torch.tensor(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    return (x - MEAN[:, None, None]) / STD[:, None, None]


@torch.no_grad()
def vgg19():
    network = models.vgg19(weights=None).features
    convolutions = [layer for layer in network if isinstance(layer, torch.nn.Conv2d)]
    for name, layer in zip(NAMES, convolutions, strict=True):
        layer.weight.copy_(torch.tensor(WEIGHTS[f"{name}.weight.codebook"][WEIGHTS[f"{name}.weight.index"]]))
        layer.bias.copy_(torch.tensor(WEIGHTS[f"{name}.bias"]))
    first = convolutions[0]
    rgb = first.weight.flip(1)
    first.bias += (rgb.sum((2, 3)) * (255 * MEAN - VGG_MEAN)).sum(1)
    first.weight.copy_(rgb * (255 * STD)[:, None, None])
    activations, before = [normalised(path) for path in SCALED_ON], 1.0
    means = []
    for layer in network:
        activations = [layer(x) for x in activations]
        if isinstance(layer, torch.nn.ReLU):
            means.append(sum(float(x.mean()) for x in activations) / len(activations))
    for layer, mean in zip(convolutions, means, strict=True):
        layer.weight.mul_(before / mean)
        layer.bias.div_(mean)
        before = mean
    return network


def style_transfer():
    """Its module alone: the package's own `__init__` also loads a web server."""
    package = types.ModuleType("style_transfer")
    package.__path__ = [str(args.checkout / "style_transfer")]
    sys.modules["style_transfer"] = package
    return importlib.import_module("style_transfer.style_transfer")


network = vgg19()
models.vgg19 = lambda weights=None: types.SimpleNamespace(features=network)
painter = style_transfer().StyleTransfer(devices=[args.device])
begun, times = time.monotonic(), {}


def step(iterate):
    times.setdefault(max(iterate.w, iterate.h), []).append(time.monotonic() - begun)


limited = {"iterations": args.steps, "initial_iterations": args.steps} if args.steps else {}
log, sys.stdout = sys.stdout, sys.stderr
content, style = (Image.open(path).convert("RGB") for path in (args.content, args.style))
painter.stylize(content, [style], end_scale=args.size, callback=step, **limited)
sys.stdout = log
if args.out:
    painter.get_image().save(args.out)
sizes = {size: {"steps": len(ends), "step": (ends[-1] - ends[0]) / (len(ends) - 1)} for size, ends in times.items()}
print(json.dumps({"seconds": time.monotonic() - begun, "sizes": sizes}))
