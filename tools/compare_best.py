"""Times impasto's presets and crowsonkb/style-transfer-pytorch on the same photograph and painting, in turn.

    git clone https://github.com/crowsonkb/style-transfer-pytorch
    python3 -m venv venv && venv/bin/pip install torch torchvision numpy pillow safetensors tqdm
    cargo build --release
    venv/bin/python tools/compare_best.py --checkout style-transfer-pytorch [--rounds 3] [--size 512]

That program makes 1000 steps at its smallest size and 500 at each other one, which takes from half an hour to two hours
on two cores. Here it makes a few at each size, and its time is counted as the best seconds of a step at each size times
the steps that it would make: whatever else a machine does only ever adds time, so this favours the rival. impasto's
time is that of the whole command, the best of all rounds. `--full` runs the rival to its end, once. What both reach is
measured by `tools/measure_quality.py --also`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"

parser = argparse.ArgumentParser()
parser.add_argument("--checkout", type=Path, required=True, help="a clone of crowsonkb/style-transfer-pytorch")
parser.add_argument("--content", type=Path, default=PICTURES / "chelsea.png")
parser.add_argument("--style", type=Path, default=PICTURES / "starry-night.jpg")
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--steps", type=int, default=6, help="steps of the rival at each size")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--presets", nargs="+", default=["fast", "default", "best"])
parser.add_argument("--full", action="store_true", help="run the rival to its end, once")
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
args = parser.parse_args()


def rival(*more):
    command = [sys.executable, str(ROOT / "tools/rival_paint_w2_torch.py"), "--checkout", str(args.checkout),
               "--content", str(args.content), "--style", str(args.style), "--size", str(args.size), *more]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


def impasto(preset):
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        subprocess.run([args.binary, "paint", args.content, "--style", args.style, "--preset", preset, "--size",
                        str(args.size), "-o", Path(folder) / "out.png", "-q"], check=True)
        return time.monotonic() - begun


steps, seconds = {}, {}
for _ in range(args.rounds):
    for size, timed in rival("--steps", str(args.steps))["sizes"].items():
        steps[int(size)] = min(steps.get(int(size), timed["step"]), timed["step"])
    for preset in args.presets:
        taken = impasto(preset)
        seconds[preset] = min(seconds.get(preset, taken), taken)
smallest = min(steps)
total = sum(step * (1000 if size == smallest else 500) for size, step in steps.items())
for size, step in sorted(steps.items()):
    print(f"style-transfer-pytorch at {size}: {step:.3f} s a step")
print(f"| style-transfer-pytorch | {total:.0f} s | |")
for preset, taken in seconds.items():
    print(f"| `{preset}` | {taken:.1f} s | {total / taken:.1f}× |")
if args.full:
    print(f"style-transfer-pytorch to its end: {rival()['seconds']:.0f} s")
