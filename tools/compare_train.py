"""Times a step of training in impasto and in PyTorch, in turn on the same machine, and prints the ratios as a table.

    python3 -m venv venv && venv/bin/pip install torch numpy pillow safetensors
    cargo build --release
    venv/bin/python tools/compare_train.py [--rounds 5] [--photos DIR] [--rows shipped tuned bf16 channels-last threads]

Both programs train the same network under the same losses: batch 4, crops of 256². A step is everything: the content's
features, the network, the losses, both ways back, Adam; impasto reads and crops the photographs meanwhile, PyTorch has
them in memory. In each round every program runs once, one after the other; the best step of all rounds counts, since
whatever else a machine does only ever adds time. Memory is the peak of the whole process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"
BINARY = ROOT / "target/release/impasto"

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--steps", type=int, default=6)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--size", type=int, default=256)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--photos", default=str(PICTURES), help="a folder; the project's few pictures unless it is given")
parser.add_argument("--binary", default=str(BINARY))
parser.add_argument("--rows", nargs="+", default=["shipped", "tuned", "bf16", "channels-last", "threads"])
args = parser.parse_args()
STYLE = str(PICTURES / "starry-night.jpg")


def measured(command):
    """Output and peak memory in MiB of a process."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{command[0]} failed")
        out.seek(0)
        return out.read().decode(), usage.ru_maxrss / 1024


def torch_run(flags=()):
    command = [sys.executable, str(ROOT / "tools/rival_train_torch.py"), "--photos", args.photos, "--style", STYLE,
               "--steps", str(args.steps), "--batch", str(args.batch), "--size", str(args.size),
               "--threads", str(args.threads), *flags]
    out, peak = measured(command)
    return {"best": json.loads(out.splitlines()[-1])["best"], "peak": peak}


def impasto_run(threads=None):
    with tempfile.TemporaryDirectory() as folder:
        command = [args.binary, "train", "--style", STYLE, "--photos", args.photos, "-o", f"{folder}/m.safetensors",
                   "--steps", str(args.steps), "--batch", str(args.batch), "--image-size", str(args.size),
                   "--threads", str(threads or args.threads), "--validate-every", "1000000steps", "--json", "-q"]
        out, peak = measured(command)
    events = [json.loads(line) for line in out.splitlines()]
    elapsed = [event["elapsed"] for event in events if event["event"] == "step"]
    return {"best": min(b - a for a, b in zip(elapsed, elapsed[1:])), "peak": peak}


def best_of(runs):
    """Runs each in turn, as many rounds as asked for; the best step and the least peak of each."""
    results = {name: [] for name in runs}
    for _ in range(args.rounds):
        for name, run in runs.items():
            results[name].append(run())
    return {name: {key: min(r[key] for r in found) for key in ("best", "peak")} for name, found in results.items()}


def row(label, rival, ours):
    rates = [args.batch / found["best"] for found in (rival, ours)]
    print(f"| {label} | {rates[0]:.2f} | {rates[1]:.2f} | {rates[1] / rates[0]:.2f}× | {rival['peak']:.0f} MiB | "
          f"{ours['peak']:.0f} MiB |", flush=True)


FLAGS = {"shipped": [], "tuned": ["--tuned"], "bf16": ["--bf16"], "channels-last": ["--channels-last"]}
LABELS = {"shipped": "as shipped", "tuned": "its allocator tuned", "bf16": "its networks in bfloat16",
          "channels-last": "its network in channels-last"}
print("| photographs a second | PyTorch | impasto | faster | PyTorch's peak | impasto's peak |\n|---|---|---|---|---|---|")
for name in args.rows:
    if name in FLAGS:
        found = best_of({"torch": lambda: torch_run(FLAGS[name]), "ours": impasto_run})
        row(f"batch {args.batch}, {args.size}², {LABELS[name]}", found["torch"], found["ours"])
    elif name == "threads":
        found = best_of({"one": lambda: impasto_run(1), "all": impasto_run})
        row(f"impasto with 1 thread against {args.threads}", found["one"], found["all"])
    else:
        sys.exit(f"no row `{name}`")
