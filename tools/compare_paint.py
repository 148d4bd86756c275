"""Times a step of painting in impasto and in PyTorch, in turn on the same machine, and prints the ratios as a table.

    python3 -m venv venv && venv/bin/pip install torch numpy pillow safetensors
    cargo build --release
    venv/bin/python tools/compare_paint.py [--rounds 5] [--rows 512 256 1024 tuned bf16 avx2 threads loss]

Both programs paint the same pixels with the same network and objective. A step is everything: forward, losses,
backward, Adam. In each round every program runs once, one after the other; the best step of all rounds counts, since
whatever else a machine does only ever adds time. Memory is the peak of the whole process.
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

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--loss-steps", type=int, default=1000, help="Adam steps whose loss the row `loss` is to reach")
parser.add_argument("--rows", nargs="+", default=["512", "tuned", "bf16", "256", "1024", "avx2", "threads"])
args = parser.parse_args()
folder = Path(tempfile.mkdtemp())


def square(name, size):
    path = folder / f"{name}-{size}.png"
    if not path.exists():
        picture = Image.open(next(PICTURES.glob(f"{name}.*"))).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        box = (left, top, left + side, top + side)
        picture.crop(box).resize((size, size), Image.LANCZOS).save(path)
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
    else:
        sys.exit(f"no row `{name}`")
