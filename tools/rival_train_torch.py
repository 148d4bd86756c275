"""Training of a fast style in PyTorch, as a user would write it: the rival of `tools/compare_train.py`.

    python tools/rival_train_torch.py --photos DIR --style S.jpg --steps 5 [--batch 4] [--size 256]

needs torch, numpy, pillow and safetensors. The network, its losses, their layers and Adam are those of
`impasto train`; the photographs are decoded and cropped before the clock starts, which impasto does on the way. Prints
one line of JSON. `--tuned` starts itself again with glibc's allocator told to keep its pages; `--bf16` computes both
networks in bfloat16; `--channels-last` gives the trained network that layout.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--photos", required=True)
parser.add_argument("--style", required=True)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--size", type=int, default=256)
parser.add_argument("--style-size", type=int, default=512)
parser.add_argument("--style-weight", type=float, default=0.05)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--tuned", action="store_true")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--channels-last", action="store_true")
args = parser.parse_args()
if args.tuned and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    keep = {"MALLOC_MMAP_THRESHOLD_": "8000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **keep})

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file
from torch import nn

WEIGHTS = Path(__file__).resolve().parent.parent / "crates/impasto-nn/weights/vgg19-codebook8.safetensors"
CONTENT = {"conv4_2": 1.0}
STYLE = {"conv1_1": 0.25, "conv2_1": 0.25, "conv3_1": 0.25, "conv4_1": 0.25}
MEAN_BGR = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

torch.set_num_threads(args.threads)
torch.manual_seed(0)
stored = load_file(WEIGHTS)


def vgg_layers():
    for block, count in enumerate([2, 2, 4, 4], 1):
        if block > 1:
            yield None
        for i in range(1, count + 1):
            name = f"conv{block}_{i}"
            weight = stored[f"{name}.weight.codebook"][stored[f"{name}.weight.index"]]
            yield name, torch.tensor(weight), torch.tensor(stored[f"{name}.bias"])
            if name == "conv4_2":
                return


VGG = list(vgg_layers())


def features(rgb):
    x = rgb[:, [2, 1, 0]] - MEAN_BGR
    found = {}
    for layer in VGG:
        if layer is None:
            x = F.avg_pool2d(x, 2)
            continue
        name, weight, bias = layer
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        if name in CONTENT or name in STYLE:
            found[name] = x
    return found


def second_moment(feature):
    flat = feature.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


class Normalised(nn.Module):
    """Reflection, a convolution, instance normalisation with a scale and a shift."""

    def __init__(self, inputs, outputs, kernel, stride=1, enlarge=1):
        super().__init__()
        self.enlarge = enlarge
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x):
        if self.enlarge > 1:
            x = F.interpolate(x, scale_factor=self.enlarge, mode="nearest")
        return self.norm(self.convolution(self.pad(x)))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = Normalised(channels, channels, 3), Normalised(channels, channels, 3)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


network = nn.Sequential(
    Normalised(3, 32, 9), nn.ReLU(), Normalised(32, 64, 3, 2), nn.ReLU(), Normalised(64, 128, 3, 2), nn.ReLU(),
    *[Residual(128) for _ in range(5)],
    Normalised(128, 64, 3, enlarge=2), nn.ReLU(), Normalised(64, 32, 3, enlarge=2), nn.ReLU(),
    nn.ReflectionPad2d(4), nn.Conv2d(32, 3, 9),
)
if args.channels_last:
    network = network.to(memory_format=torch.channels_last)


def read(path, size=None):
    picture = Image.open(path).convert("RGB")
    if size:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.LANCZOS)
    return torch.tensor(np.asarray(picture).astype(np.float32)).permute(2, 0, 1)[None].contiguous()


endings = {".jpg", ".jpeg", ".png"}
paths = sorted(path for path in Path(args.photos).rglob("*") if path.suffix.lower() in endings)
photos = [read(path, args.size) for path in paths[: args.batch * args.steps]]
painting = Image.open(args.style).convert("RGB")
longer = max(painting.size)
painting = painting.resize([round(side * args.style_size / longer) for side in painting.size], Image.LANCZOS)
painting = torch.tensor(np.asarray(painting).astype(np.float32)).permute(2, 0, 1)[None]
with torch.no_grad():
    style_targets = {name: second_moment(feature) for name, feature in features(painting).items() if name in STYLE}


def objective(painted, photo):
    with torch.no_grad():
        targets = features(photo)
    found = features(painted)
    total = 0.0
    for name, weight in CONTENT.items():
        distance = ((found[name].float() - targets[name].float()) ** 2).sum()
        total = total + weight / len(CONTENT) * distance / (2 * found[name][0].numel())
    for name, weight in STYLE.items():
        distance = ((second_moment(found[name].float()) - style_targets[name]) ** 2).sum()
        total = total + args.style_weight * weight / len(STYLE) * distance / (4 * found[name].shape[1] ** 2)
    return total / len(photo)


adam = torch.optim.Adam(network.parameters(), lr=1e-3)
times, losses = [], []
for step in range(args.steps):
    start = time.perf_counter()
    batch = torch.cat([photos[(step * args.batch + i) % len(photos)] for i in range(args.batch)])
    adam.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
        painted = network(batch / 255) * 255
        loss = objective(painted, batch)
    loss.backward()
    adam.step()
    times.append(time.perf_counter() - start)
    losses.append(loss.item())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
best = min(times[1:] or times)
print(json.dumps({"rival": f"torch {torch.__version__}", "best": best, "images_per_second": args.batch / best,
                  "first_loss": losses[0], "loss": losses[-1], "peak_mib": round(peak)}))
