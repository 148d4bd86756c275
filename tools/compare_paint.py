"""Times a step of painting in impasto and in PyTorch, in turn on the same machine, and prints the ratios as a table.

    python3 -m venv venv && venv/bin/pip install torch numpy pillow safetensors
    cargo build --release
    venv/bin/python tools/compare_paint.py [--rounds 5] [--rows 512 256 1024 tuned bf16 avx2 threads loss large]

Both programs paint the same pixels with the same network and objective. A step is everything: forward, losses,
backward, Adam. In each round every program runs once, one after the other; the best step of all rounds counts, since
whatever else a machine does only ever adds time. Memory is the peak of the whole process.

The row `large` sets a whole painting of 2048×1536, coarse to fine and within `--memory`, against
as many steps of PyTorch at that size as impasto makes at its last one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"
BINARY = ROOT / "target/release/impasto"
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}

# The objective that PyTorch's side has, coarse to fine; it was the default preset when the table was measured.
GRAM = ["--style-loss", "gram", "--loss-scale", "absolute", "--style-weight", "0.2", "--tv-weight", "0",
        "--pooling", "average", "--border", "zero", "--content-layers", "conv4_2=0.5,conv5_2=0.5",
        "--style-layers", "conv1_1=0.2,conv2_1=0.2,conv3_1=0.2,conv4_1=0.2,conv5_1=0.2"]

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--loss-steps", type=int, default=1000, help="Adam steps whose loss the row `loss` is to reach")
parser.add_argument("--large-steps", type=int, default=100, help="iterations of the row `large` at its last size")
parser.add_argument("--memory", default="2GiB", help="what impasto may take in the row `large`")
parser.add_argument("--rows", nargs="+", default=["512", "tuned", "bf16", "256", "1024", "avx2", "threads"])
args = parser.parse_args()
folder = Path(tempfile.mkdtemp())


def square(name, size):
    return cut(name, size, size)


def cut(name, width, height):
    """The middle of a picture, as large as it goes, at this size."""
    path = folder / f"{name}-{width}x{height}.png"
    if not path.exists():
        picture = Image.open(next(PICTURES.glob(f"{name}.*"))).convert("RGB")
        scale = min(picture.width / width, picture.height / height)
        left, top = (picture.width - scale * width) / 2, (picture.height - scale * height) / 2
        box = (left, top, left + scale * width, top + scale * height)
        picture.resize((width, height), Image.LANCZOS, box).save(path)
    return str(path)


def measured(command, environment):
    """Output and peak memory in MiB of a process."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, env={**os.environ, **environment})
        _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{command[0]} failed")
        out.seek(0)
        return out.read().decode(), usage.ru_maxrss / 1024


def torch_run(size, steps, flags=(), environment=None, threads=None):
    command = [sys.executable, str(ROOT / "tools/rival_paint_torch.py"), "--steps", str(steps), *flags,
               "--content", square("astronaut", size), "--style", square("starry-night", size),
               "--threads", str(threads or args.threads)]
    out, peak = measured(command, environment or {})
    return {**json.loads(out.splitlines()[-1]), "peak": peak}


def impasto_run(size, steps, flags=(), environment=None, threads=None):
    command = [str(BINARY), "paint", square("astronaut", size), "--style", square("starry-night", size),
               "--preset", "article", "--init", "content", "--iterations", str(steps), "--json", "-q",
               "--threads", str(threads or args.threads), "-o", str(folder / "out.png"), *flags]
    out, peak = measured(command, environment or {})
    events = [json.loads(line) for line in out.splitlines()]
    elapsed = [event["elapsed"] for event in events if event["event"] == "step"]
    times = [b - a for a, b in zip(elapsed, elapsed[1:])] or elapsed
    losses = [(event["elapsed"], event["loss"]) for event in events if event["event"] == "step"]
    loss = next(event["loss"] for event in events if event["event"] == "finished")
    return {"best": min(times), "loss": loss, "losses": losses, "peak": peak}


def large(width, height):
    """A whole painting against as many steps at its last size."""
    pictures = [cut("coffee", width, height), "--style", cut("starry-night", width, height)]
    rival = [sys.executable, str(ROOT / "tools/rival_paint_torch.py"), "--steps", "3", "--content", *pictures]
    out, torch_peak = measured([*rival, "--threads", str(args.threads)], {})
    step = json.loads(out.splitlines()[-1])["best"]
    ours = [str(BINARY), "paint", *pictures, *GRAM, "--memory", args.memory, "--iterations", str(args.large_steps), "--json",
            "-q", "--threads", str(args.threads), "-o", str(folder / "large.png")]
    out, peak = measured(ours, {})
    seconds = next(e["elapsed"] for e in map(json.loads, out.splitlines()) if e["event"] == "finished")
    rival_seconds = args.large_steps * step
    print(f"| {width}×{height}, {args.large_steps} steps (PyTorch's: its best × {args.large_steps}) | "
          f"{rival_seconds:.0f} s | {seconds:.0f} s | {rival_seconds / seconds:.2f}× | {torch_peak:.0f} MiB | "
          f"{peak:.0f} MiB | {peak / torch_peak:.2f} |", flush=True)


def best_of(runs):
    """Runs each in turn, as many rounds as asked for; the best step and the least peak of each."""
    results = {name: [] for name in runs}
    for _ in range(args.rounds):
        for name, run in runs.items():
            results[name].append(run())
    return {name: {key: min(r[key] for r in found) for key in ("best", "peak")} for name, found in results.items()}


def row(label, torch, ours, memory=False):
    ratio = torch["best"] / ours["best"]
    text = f"| {label} | {torch['best']:.3f} s | {ours['best']:.3f} s | {ratio:.2f}× |"
    if memory:
        text += f" {torch['peak']:.0f} MiB | {ours['peak']:.0f} MiB | {ours['peak'] / torch['peak']:.2f} |"
    else:
        text += " | | |"
    print(text, flush=True)


print("| | PyTorch | impasto | faster | PyTorch's peak | impasto's peak | ratio |\n|---|---|---|---|---|---|---|")
for name in args.rows:
    if name in ("256", "512", "1024"):
        size, steps = int(name), {"256": 12, "512": 8, "1024": 4}[name]
        found = best_of({"torch": lambda: torch_run(size, steps), "ours": lambda: impasto_run(size, steps)})
        row(f"{size}², as shipped", found["torch"], found["ours"], memory=True)
    elif name in ("tuned", "bf16"):
        found = best_of({"torch": lambda: torch_run(512, 8, [f"--{name}"]), "ours": lambda: impasto_run(512, 8)})
        row(f"512², {name}", found["torch"], found["ours"], memory=True)
    elif name == "avx2":
        found = best_of({"torch": lambda: torch_run(512, 5, environment=AVX2),
                         "ours": lambda: impasto_run(512, 6, environment={"IMPASTO_ISA": "avx2"})})
        row("512², both limited to AVX2", found["torch"], found["ours"])
    elif name == "threads":
        found = best_of({"one": lambda: impasto_run(512, 5, threads=1), "two": lambda: impasto_run(512, 8, threads=2)})
        row("512², impasto with 1 thread against 2", found["one"], found["two"])
    elif name == "loss":
        rival = torch_run(512, args.loss_steps)
        target, needed = rival["loss"], {}
        for label, flags in [("adam", []), ("lbfgs", ["--optimizer", "lbfgs"])]:
            run = impasto_run(512, args.loss_steps, flags)
            needed[label] = next((t for t, loss in run["losses"] if loss <= target), float("inf"))
        label, seconds = min(needed.items(), key=lambda item: item[1])
        print(f"| 512², to PyTorch's loss after {args.loss_steps} steps ({target:.4g}), {label} | "
              f"{rival['seconds']:.1f} s | {seconds:.1f} s | {rival['seconds'] / seconds:.1f}× | | | |", flush=True)
    elif name == "large":
        large(2048, 1536)
    else:
        sys.exit(f"no row `{name}`")
