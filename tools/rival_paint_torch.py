"""The article's method in PyTorch, as a user would write it: the rival of `tools/compare_paint.py`.

    python tools/rival_paint_torch.py --content C.png --style S.jpg --steps 5 [--trace trace.csv] [--out out.png]

needs torch, numpy, pillow and safetensors. Layers, weights, losses, pooling and the step are those of
`impasto paint --preset article`; the picture is taken at its own size and starts from the content, so that both
programs start from the same pixels. Prints one line of JSON. `--tuned` starts itself again with glibc's allocator told
to keep its pages; `--bf16` computes the network in bfloat16.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--content", required=True)
parser.add_argument("--style", required=True)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--rate", type=float, default=5.0)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--tuned", action="store_true")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--trace")
parser.add_argument("--out")
args = parser.parse_args()
if args.tuned and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    keep = {"MALLOC_MMAP_THRESHOLD_": "8000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **keep})

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file

WEIGHTS = Path(__file__).resolve().parent.parent / "crates/impasto-nn/weights/vgg19-codebook8.safetensors"
BLOCKS = [2, 2, 4, 4, 4]
CONTENT = {"conv4_2": 0.5, "conv5_2": 0.5}
STYLE = {f"conv{b}_1": 0.2 for b in range(1, 6)}
BETA = 500.0
MEAN_BGR = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

torch.set_num_threads(args.threads)
stored = load_file(WEIGHTS)


def layers():
    for block, count in enumerate(BLOCKS, 1):
        if block > 1:
            yield None
        for i in range(1, count + 1):
            name = f"conv{block}_{i}"
            weight = stored[f"{name}.weight.codebook"][stored[f"{name}.weight.index"]]
            yield name, torch.tensor(weight), torch.tensor(stored[f"{name}.bias"])
            if name == "conv5_2":
                return


NETWORK = list(layers())


def features(x):
    found = {}
    for layer in NETWORK:
        if layer is None:
            x = F.avg_pool2d(x, 2)
            continue
        name, weight, bias = layer
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        if name in CONTENT or name in STYLE:
            found[name] = x
    return found


def second_moment(feature):
    flat = feature[0].flatten(1)
    return flat @ flat.t() / flat.shape[1]


def read(path):
    rgb = np.asarray(Image.open(path).convert("RGB")).astype(np.float32)
    return (torch.tensor(rgb).permute(2, 0, 1)[None][:, [2, 1, 0]] - MEAN_BGR).contiguous()


content, style = read(args.content), read(args.style)
with torch.no_grad():
    seen = features(content)
    content_targets = {name: seen[name] for name in CONTENT}
    seen = features(style)
    style_targets = {name: second_moment(seen[name]) for name in STYLE}
    del seen


def objective(x):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
        found = features(x)
    total = 0.0
    for name, weight in CONTENT.items():
        distance = ((found[name].float() - content_targets[name]) ** 2).sum()
        total = total + weight / len(CONTENT) * distance / (2 * found[name].numel())
    for name, weight in STYLE.items():
        distance = ((second_moment(found[name].float()) - style_targets[name]) ** 2).sum()
        total = total + BETA * weight / len(STYLE) * distance / (4 * found[name].shape[1] ** 2)
    return total


x = content.clone().requires_grad_(True)
adam = torch.optim.Adam([x], lr=args.rate)
times, losses, begun = [], [], time.perf_counter()
for _ in range(args.steps):
    start = time.perf_counter()
    adam.zero_grad()
    loss = objective(x)
    loss.backward()
    adam.step()
    times.append(time.perf_counter() - start)
    losses.append((time.perf_counter() - begun, loss.item()))
with torch.no_grad():
    final = objective(x).item()
if args.trace:
    rows = "".join(f"{i},{elapsed:.4f},{loss}\n" for i, (elapsed, loss) in enumerate(losses, 1))
    Path(args.trace).write_text("iteration,elapsed,loss\n" + rows)
if args.out:
    rgb = (x.detach() + MEAN_BGR)[0][[2, 1, 0]].clamp(0, 255).permute(1, 2, 0).numpy().round().astype(np.uint8)
    Image.fromarray(rgb).save(args.out)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rival": f"torch {torch.__version__}", "best": min(times[1:] or times), "seconds": losses[-1][0],
                  "loss": final, "peak_mib": round(peak)}))
