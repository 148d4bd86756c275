"""Measures what impasto paints over a fixed set, by `impasto eval`, and prints the means as a table.

    cargo build --release
    python3 tools/measure_quality.py [--size 384] [--also NAME=FOLDER ...] [--keep FOLDER]

The set is the four photographs of `examples/pictures`, each painted like `starry-night.jpg` there: by the presets
`fast`, `default` and `best`, by the built-in style of that name in one pass, and by whatever else left a picture for
each photograph in a folder (`--also`), under the photograph's name. All are measured at one size. Content and style are
two columns: either alone is easily had. Distances are shares; 0 is the same.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"
STYLE = PICTURES / "starry-night.jpg"
PHOTOGRAPHS = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"]
ENDINGS = [".png", ".jpg", ".webp", ".tiff"]
COLUMNS = ["content", "gram", "wasserstein", "sliced_wasserstein", "ssim", "border", "checkerboard"]

parser = argparse.ArgumentParser()
parser.add_argument("--size", type=int, default=384, help="the longer side of what is painted and measured")
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
parser.add_argument("--also", nargs="*", default=[], metavar="NAME=FOLDER", help="pictures that others painted")
parser.add_argument("--keep", type=Path, help="where the paintings go, if they shall stay")
args = parser.parse_args()
folder = args.keep or Path(tempfile.mkdtemp())


def impasto(*arguments):
    run = subprocess.run([args.binary, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"impasto {arguments[0]} failed")
    return run.stdout


def painted(name, command):
    """The paintings of all photographs by a command, made where they are not there."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for photograph in PHOTOGRAPHS:
        out = target / f"{Path(photograph).stem}.png"
        if not out.exists():
            impasto(*command, PICTURES / photograph, "--size", args.size, "-o", out, "-q")
    return target


def mean(value):
    """A number, or the mean of the numbers in a table."""
    return sum(map(mean, value.values())) / len(value) if isinstance(value, dict) else float(value)


def row(name, paintings):
    """The means over the set of one way to paint."""
    totals = dict.fromkeys(COLUMNS, 0.0)
    for photograph in PHOTOGRAPHS:
        names = (Path(paintings) / f"{Path(photograph).stem}{ending}" for ending in ENDINGS)
        picture = next((name for name in names if name.exists()), None)
        if picture is None:
            sys.exit(f"there is no painting of {photograph} in {paintings}: name it {Path(photograph).stem}.png")
        told = json.loads(impasto("eval", "--content", PICTURES / photograph, "--style", STYLE, "--size", args.size,
                                  "--json", picture))
        for column in COLUMNS:
            totals[column] += mean(told[column]) / len(PHOTOGRAPHS)
    print(f"| {name} | " + " | ".join(f"{totals[column]:.3f}" for column in COLUMNS) + " |", flush=True)


print("| | content | Gram | Wasserstein-2 | sliced W. | SSIM | border | grid |")
print("|---|---|---|---|---|---|---|---|")
row("photograph", PICTURES)
for preset in ["fast", "default", "best"]:
    row(f"`--preset {preset}`", painted(preset, ["paint", "--style", STYLE, "--preset", preset]))
row("`stylize`", painted("stylize", ["stylize", "--style", "starry-night"]))
for other in args.also:
    name, _, where = other.partition("=")
    row(name, where)
