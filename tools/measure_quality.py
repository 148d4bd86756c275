"""Measures what impasto paints over a set of pairs, by `impasto eval`, and prints the means as a table.

    cargo build --release
    python3 tools/measure_quality.py [--contents PLACE ...] [--styles PLACE ...] [--size 384]
        [--setting NAME=ARGUMENTS ...] [--also NAME=FOLDER ...] [--network FILE] [--keep FOLDER]
        [--json FILE] [--sheet FILE]

Every photograph is painted like every style, in each of the given ways: a preset by its name, or any name with the
arguments of `impasto paint`, such as `--setting quick="--preset best -n 60"`; `stylize` is the built-in style in one
pass. Places are files or folders of pictures. Without any, the set is the four photographs of `examples/pictures` and
`starry-night.jpg` there, painted by the presets `fast`, `default` and `best` and by `stylize`.

`--also` takes pictures that others painted, one for each pair, named PHOTOGRAPH-STYLE or, with one style, PHOTOGRAPH.
What is in the folder `--keep` is not painted again. All are measured at one size and at the same layers, whatever the
program's defaults are, by the built-in network or another (`--network`). Content and style are two columns: either
alone is easily had. Distances are shares; 0 is the same. The JSON has the same means, every pair with all that
`impasto eval` tells, and the seconds of painting. The sheet (it needs Pillow) has a row for each pair.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"
PHOTOGRAPHS = [PICTURES / name for name in ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"]]
STYLES = [PICTURES / "starry-night.jpg"]
ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".tiff"]
LAYERS = ["--content-layers", "conv4_2", "--style-layers", "conv1_1,conv2_1,conv3_1,conv4_1,conv5_1"]
# Heading, and where the figure stands in the JSON.
COLUMNS = {
    "content": "content", "Gram": "gram", "Wasserstein-2": "wasserstein", "sliced W.": "sliced_wasserstein",
    "SSIM": "ssim", "border": "border", "grid": "checkerboard", "grain": "surface.grain.luma_ratio",
    "coloured grain": "surface.grain.chroma_ratio", "pixel grain": "surface.pixel_grain.luma_ratio",
    "coloured pixel grain": "surface.pixel_grain.chroma_ratio", "spots": "surface.spots", "dead": "surface.dead",
    "seconds": "seconds",
}

parser = argparse.ArgumentParser()
parser.add_argument("--contents", nargs="+", type=Path, default=PHOTOGRAPHS, metavar="PLACE", help="photographs")
parser.add_argument("--styles", nargs="+", type=Path, default=STYLES, metavar="PLACE", help="paintings")
parser.add_argument("--setting", action="append", metavar="NAME[=ARGUMENTS]", help="a way to paint")
parser.add_argument("--size", type=int, default=384, help="the longer side of what is painted and measured")
parser.add_argument("--network", default="vgg19", metavar="FILE", help="the network that judges")
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
parser.add_argument("--also", nargs="*", default=[], metavar="NAME=FOLDER", help="pictures that others painted")
parser.add_argument("--keep", type=Path, help="where the paintings go, if they shall stay")
parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, of every pair")
parser.add_argument("--sheet", type=Path, metavar="FILE", help="all pictures, with labels")
parser.add_argument("--thumbnail", type=int, default=256, metavar="N", help="the side of a picture on the sheet")
args = parser.parse_args()
folder = args.keep or Path(tempfile.mkdtemp())


def pictures(places):
    """The files that are meant, folders opened."""
    found = []
    for place in places:
        inside = sorted(file for file in place.iterdir() if file.suffix.lower() in ENDINGS) if place.is_dir() else [place]
        found += inside
    return found or sys.exit(f"there are no pictures in {', '.join(map(str, places))}")


CONTENTS, KINDS = pictures(args.contents), pictures(args.styles)
PAIRS = [(content, style) for content in CONTENTS for style in KINDS]


def impasto(*arguments):
    run = subprocess.run([args.binary, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"impasto {shlex.join(map(str, arguments))} failed")
    return run.stdout


def name_of(content, style):
    return f"{content.stem}-{style.stem}"


def painted(name, command):
    """Paints all pairs in one way where they are not there, and says how to find them."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for content, style in PAIRS:
        out = target / f"{name_of(content, style)}.png"
        if not out.exists():
            begun = time.monotonic()
            impasto(*command(style), content, "--size", args.size, "-o", out, "-q")
            out.with_suffix(".seconds").write_text(f"{time.monotonic() - begun:.2f}\n")
    return lambda content, style: there(target, content, style)


def there(where, content, style):
    """The painting of a pair in a folder."""
    stems = [name_of(content, style)] + ([content.stem] if len(KINDS) == 1 else [])
    for name in (Path(where) / f"{stem}{ending}" for stem in stems for ending in ENDINGS):
        if name.exists():
            return name
    return sys.exit(f"there is no painting of {content.name} in {where}: name it {stems[0]}.png")


def figure(told, path):
    """What stands there: a number, the mean of the numbers in a table, or nothing."""
    for key in path.split("."):
        told = told.get(key) if told else None
    return sum(told.values()) / len(told) if isinstance(told, dict) else told


def shown(value):
    return "–" if value is None else f"{value:.3f}"


def measured(name, find):
    """All pairs of one way to paint, each picture found by a function, and their means, of which a row is printed."""
    pairs = []
    for content, style in PAIRS:
        picture = find(content, style)
        told = json.loads(impasto("eval", "--content", content, "--style", style, "--size", args.size, "--network",
                                  args.network, *LAYERS, "--json", picture))
        seconds = picture.with_suffix(".seconds")
        told |= {"seconds": float(seconds.read_text()) if seconds.exists() else None, "path": str(picture),
                 "content_path": str(content), "style_path": str(style)}
        means = {heading: figure(told, path) for heading, path in COLUMNS.items()}
        pairs.append({"pair": name_of(content, style), "means": means, "eval": told})
    columns = {heading: [pair["means"][heading] for pair in pairs] for heading in COLUMNS}
    means = {heading: None if None in column else sum(column) / len(column) for heading, column in columns.items()}
    print(f"| {name} | " + " | ".join(map(shown, means.values())) + " |", flush=True)
    return {"name": name, "means": means, "pairs": pairs}


def sheet(ways):
    """A row for each pair: photograph, style, and the paintings."""
    from PIL import Image, ImageDraw

    side, line = args.thumbnail, 14
    headings = ["photograph", "style"] + [way["name"] for way in ways]
    page = Image.new("RGB", (len(headings) * (side + 4), line + len(PAIRS) * (side + line + 4)), "white")
    draw = ImageDraw.Draw(page)
    for column, heading in enumerate(headings):
        draw.text((column * (side + 4) + 2, 1), heading, fill="black")
    for row, (content, style) in enumerate(PAIRS):
        top = line + row * (side + line + 4)
        files = [content, style] + [way["pairs"][row]["eval"]["path"] for way in ways]
        draw.text((2, top), name_of(content, style), fill="black")
        for column, file in enumerate(files):
            picture = Image.open(file).convert("RGB")
            picture.thumbnail((side, side), Image.LANCZOS)
            page.paste(picture, (column * (side + 4), top + line))
            if column >= 2:
                means = ways[column - 2]["pairs"][row]["means"]
                label = f"content {shown(means['content'])}  W2 {shown(means['Wasserstein-2'])}  "
                label += f"grain {shown(means['coloured grain'])}"
                draw.text((column * (side + 4) + 2, top), label, fill="black")
    args.sheet.parent.mkdir(parents=True, exist_ok=True)
    page.save(args.sheet, quality=92)


def ways_to_paint():
    """Name and command of each."""
    default = ["fast", "default", "best"] + (["stylize"] if args.styles == STYLES else [])
    for setting in args.setting or default:
        name, _, arguments = setting.partition("=")
        flags = shlex.split(arguments) or ["--preset", name]
        if name == "stylize":
            yield name, lambda style: ["stylize", "--style", style.stem]
        else:
            yield name, lambda style, flags=flags: ["paint", "--style", style, *flags]


print("| | " + " | ".join(COLUMNS) + " |")
print("|---" * (len(COLUMNS) + 1) + "|")
measured("photograph", lambda content, style: content)
results = [measured(name, painted(name, command)) for name, command in ways_to_paint()]
for other in args.also:
    name, _, where = other.partition("=")
    results.append(measured(name, lambda content, style, where=where: there(where, content, style)))
if args.json:
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"size": args.size, "network": args.network, "ways": results}, indent=1) + "\n")
if args.sheet:
    sheet(results)
