"""Makes the vectors that impasto's trunk, losses and optimiser are tested against, in PyTorch and in float64.

    python tools/make_vectors.py

needs torch, numpy, pillow and safetensors, and writes `crates/impasto-nn/tests/vectors/vgg19-HEIGHTxWIDTH.safetensors`.
Each file holds its own pictures, so that decoding is no part of the check. (Those that are committed were cropped from
the painting's photograph before its frame was cut away from `starry-night.jpg`; made anew they hold other pictures.)
Everything is computed in float64 and once more in float32, to say how far rounding alone goes: those figures are
printed and stored in the header.

Pictures are planar (3, height, width), red, green, blue, 0–255. In each file:

    content, style          uint8 crops of the example pictures
    start                   float32, where the objective is evaluated: half content, half uniform noise of ±20 grey
                            levels, nudged (see below)
    feature.LAYER.*         of `content` behind the ReLU, average pooling, every layer: `index` into the flattened
                            feature, `value` there, `norm` of the whole (L2), `shape`
    gram.LAYER.*            F·Fᵀ / positions, style layers, in the same way
    mean.LAYER              mean of each channel
    POOLING.content         loss of each content layer at `start`, unweighted: 1/(2·M·N) · Σ (F − P)²
    POOLING.style           loss of each style layer, unweighted: Σ (G/M − A/M')² / (4·N²)
    POOLING.total           [content, style, ALPHA · content + BETA · style], each averaged over weighted layers
    POOLING.gradient        of the total with respect to `start`
    variation.value         Σ (x[i+1,j] − x[i,j])² + (x[i,j+1] − x[i,j])² over `start`
    variation.gradient      of that
    adam.loss               total before each of 20 Adam steps (rate 5, PyTorch's defaults) from `start`, and after them
    adam.picture            where they end

with M positions and N channels (Gatys, Ecker, Bethge 2015: "A Neural Algorithm of Artistic Style"). POOLING is average,
max (of a 2×2 window) or l2 (the square root of its sum of squares, with gradient 0 at 0). Where a side has length 1 the
window is cut to it.

The gradient of a ReLU jumps at 0, and that of a maximum where two values are equal: there rounding alone can turn a
path on or off, and one such flip moves a small picture's gradient by 1e-3. So `start` is nudged, 3×3 pixels at a time,
until nothing under any pooling lies within MARGIN of such a place, and gradients can be compared to 1e-5.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "examples/pictures"
WEIGHTS = ROOT / "crates/impasto-nn/weights/vgg19-codebook8.safetensors"
OUT = ROOT / "crates/impasto-nn/tests/vectors"

BLOCKS = [2, 2, 4, 4, 4]
LAYERS = [f"conv{b + 1}_{i + 1}" for b, n in enumerate(BLOCKS) for i in range(n)]
CONTENT = {"conv4_2": 0.5, "conv5_2": 0.5}
STYLE = {f"conv{b}_1": 0.2 for b in range(1, 6)}
ALPHA, BETA = 1.0, 500.0
MEAN_RGB = [123.68, 116.779, 103.939]

# (height, width) of the content, of the style, and where both crops begin (top, left).
SIZES = [
    ((1, 1), (3, 2), (110, 150), (80, 500)),
    ((2, 3), (1, 1), (100, 130), (80, 500)),
    ((1, 17), (15, 1), (110, 150), (80, 500)),
    ((15, 40), (20, 9), (80, 110), (150, 300)),
    ((33, 17), (16, 32), (120, 140), (250, 420)),
    ((61, 45), (57, 66), (90, 120), (60, 480)),
    ((93, 70), (93, 70), (70, 90), (200, 100)),
]
SUBSET = 256
ADAM_STEPS, ADAM_RATE = 20, 5.0
POOLINGS = ["average", "max", "l2"]
# How near, relative to the layer's RMS, a value may come to where its gradient jumps. Winograd convolutions in float32
# are off by 1e-6 to 4e-6 RMS.
MARGIN = 5e-6


def network(dtype):
    """{layer: (weight, bias)}, the input channels in red, green, blue order."""
    t = load_file(WEIGHTS)
    layers = {}
    for name in LAYERS:
        weight = t[f"{name}.weight.codebook"][t[f"{name}.weight.index"]]
        if name == "conv1_1":
            weight = weight[:, ::-1].copy()
        layers[name] = (torch.tensor(weight, dtype=dtype), torch.tensor(t[f"{name}.bias"], dtype=dtype))
    return layers


def pool(x, pooling):
    window = [min(2, x.shape[2]), min(2, x.shape[3])]
    if pooling == "average":
        return F.avg_pool2d(x, window, stride=2)
    if pooling == "max":
        return F.max_pool2d(x, window, stride=2)
    squares = F.avg_pool2d(x * x, window, stride=2) * (window[0] * window[1])
    some = squares > 0
    return torch.where(some, torch.where(some, squares, 1.0).sqrt(), 0.0)


def features(net, picture, pooling, rectified=True):
    """{layer: C×H×W} behind the ReLU (or before it), of a picture 3×H×W, RGB 0–255."""
    x = (picture - torch.tensor(MEAN_RGB, dtype=picture.dtype).view(3, 1, 1))[None]
    out = {}
    for name in LAYERS:
        if name.endswith("_1") and name != "conv1_1":
            x = pool(x, pooling)
        weight, bias = net[name]
        before = F.conv2d(x, weight, bias, padding=1)
        x = F.relu(before)
        out[name] = (x if rectified else before)[0]
    return out


def gram(feature):
    """F·Fᵀ / positions."""
    f = feature.flatten(1)
    return f @ f.t() / f.shape[1]


class Objective:
    """The article's objective for one content and one style."""

    def __init__(self, net, content, style, pooling):
        self.net, self.pooling = net, pooling
        with torch.no_grad():
            of_content, of_style = features(net, content, pooling), features(net, style, pooling)
        self.content = {k: of_content[k] for k in CONTENT}
        self.style = {k: gram(of_style[k]) for k in STYLE}

    def terms(self, picture):
        """The loss of each content layer and of each style layer, unweighted."""
        f = features(self.net, picture, self.pooling)
        content = [((f[k] - p) ** 2).sum() / (2 * p.numel()) for k, p in self.content.items()]
        style = [((gram(f[k]) - a) ** 2).sum() / (4 * a.shape[0] ** 2) for k, a in self.style.items()]
        return torch.stack(content), torch.stack(style)

    def total(self, content, style):
        """[content, style, their weighted sum], each averaged over its weighted layers."""
        c = (content * torch.tensor(list(CONTENT.values()), dtype=content.dtype)).mean()
        s = (style * torch.tensor(list(STYLE.values()), dtype=style.dtype)).mean()
        return torch.stack([c, s, ALPHA * c + BETA * s])

    def value(self, picture):
        return self.total(*self.terms(picture))[2]


def subset(tensor, rng):
    """At most SUBSET places of a tensor, ascending, the values there, and the L2 norm of all."""
    flat = tensor.flatten()
    index = np.sort(rng.choice(flat.numel(), min(SUBSET, flat.numel()), replace=False)).astype("i4")
    norm, shape = flat.norm().numpy()[None], np.array(tensor.shape, "i4")
    return {"index": index, "value": flat.numpy()[index], "norm": norm, "shape": shape}


def feature_vectors(net, content, out):
    rng = np.random.default_rng(1)
    with torch.no_grad():
        found = features(net, content, "average")
        for name, f in found.items():
            out.update({f"feature.{name}.{k}": v for k, v in subset(f, rng).items()})
        for name in STYLE:
            out.update({f"gram.{name}.{k}": v for k, v in subset(gram(found[name]), rng).items()})
            out[f"mean.{name}"] = found[name].mean((1, 2)).numpy()


def objective_vectors(net, content, style, start, out):
    for pooling in POOLINGS:
        objective = Objective(net, content, style, pooling)
        x = start.clone().requires_grad_(True)
        terms = objective.terms(x)
        total = objective.total(*terms)
        total[2].backward()
        out[f"{pooling}.content"], out[f"{pooling}.style"] = (t.detach().numpy() for t in terms)
        out[f"{pooling}.total"] = total.detach().numpy()
        out[f"{pooling}.gradient"] = x.grad.numpy()


def variation_vectors(start, out):
    x = start.clone().requires_grad_(True)
    value = ((x[:, 1:] - x[:, :-1]) ** 2).sum() + ((x[:, :, 1:] - x[:, :, :-1]) ** 2).sum()
    value.backward()
    out["variation.value"], out["variation.gradient"] = value.detach().numpy()[None], x.grad.numpy()


def adam_vectors(net, content, style, start, out):
    objective = Objective(net, content, style, "average")
    x = start.clone().requires_grad_(True)
    adam, losses = torch.optim.Adam([x], lr=ADAM_RATE), []
    for _ in range(ADAM_STEPS):
        adam.zero_grad()
        loss = objective.value(x)
        loss.backward()
        losses.append(loss.item())
        adam.step()
    losses.append(objective.value(x).item())
    out["adam.loss"], out["adam.picture"] = np.array(losses), x.detach().numpy()


def vectors(pictures, dtype):
    net = network(dtype)
    content, style, start = (torch.tensor(p.astype("f4")).to(dtype) for p in pictures)
    out = {}
    feature_vectors(net, content, out)
    objective_vectors(net, content, style, start, out)
    variation_vectors(start, out)
    adam_vectors(net, content, style, start, out)
    return out


def jumps(net, picture):
    """(row, column) in the picture of everything within MARGIN of where its gradient jumps, under any pooling."""
    places = []
    for pooling in POOLINGS:
        with torch.no_grad():
            found = features(net, picture, pooling, rectified=False)
        for name, f in found.items():
            near, stride = f.abs() < MARGIN * f.norm() / f.numel() ** 0.5, 2 ** (int(name[4]) - 1)
            places += [(stride, stride, *at[1:]) for at in near.nonzero().tolist()]
            if pooling == "max":
                window = (min(2, f.shape[1]), min(2, f.shape[2]))
                first, second = best_two(F.relu(f), window)
                near = (first - second < MARGIN * f.norm() / f.numel() ** 0.5) & (first > 0)
                places += [(stride * window[0], stride * window[1], *at[1:]) for at in near.nonzero().tolist()]
    height, width = picture.shape[1:]
    return [(min(i * s + s // 2, height - 1), min(j * t + t // 2, width - 1)) for s, t, i, j in places]


def best_two(f, window):
    """The largest and the second largest value of each window of C×H×W."""
    (a, b), (channels, height, width) = window, f.shape
    cut = f[:, : height // a * a, : width // b * b].reshape(channels, height // a, a, width // b, b)
    ordered = cut.permute(0, 1, 3, 2, 4).flatten(3).sort(3, descending=True).values
    return (ordered[..., 0], ordered[..., 1]) if a * b > 1 else (ordered[..., 0], ordered[..., 0] - torch.inf)


def nudged(start):
    """The start picture, changed by up to 2 grey levels here and there until no gradient jumps near it."""
    net, rng = network(torch.float64), np.random.default_rng(2)
    left = jumps(net, torch.tensor(start).double())
    while left:
        i, j = left[rng.integers(len(left))]
        tried = start.copy()
        patch = tried[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        patch += rng.uniform(-2, 2, patch.shape).astype("f4")
        found = jumps(net, torch.tensor(tried).double())
        if len(found) < len(left):
            start, left = tried, found
            print(f"\r{len(left)} places where a gradient may jump ", end="", flush=True)
    print("\r", end="")
    return start


def crop(name, size, corner):
    """3×H×W, uint8."""
    (height, width), (top, left) = size, corner
    rows = np.asarray(Image.open(PICTURES / name).convert("RGB"))[top : top + height, left : left + width]
    assert rows.shape == (height, width, 3)
    return rows.transpose(2, 0, 1).copy()


def pictures(content_size, style_size, content_corner, style_corner):
    content = crop("chelsea.png", content_size, content_corner)
    style = crop("starry-night.jpg", style_size, style_corner)
    noise = np.random.default_rng(0).uniform(-20, 20, content.shape)
    mean = np.array(MEAN_RGB).reshape(3, 1, 1)
    start = (mean + 0.5 * (content - mean) + 0.5 * noise).astype("f4")
    return content, style, nudged(start)


def distance(a, b):
    """Relative L2 distance of b from a."""
    return float(np.linalg.norm((b.astype("f8") - a).ravel()) / max(np.linalg.norm(a.ravel()), 1e-300))


def rounding(exact, single):
    """How far float32 alone is from float64, the largest of each kind."""
    kinds = {
        "features": [k for k in exact if k.startswith("feature.") and k.endswith(".value")],
        "gram": [k for k in exact if k.startswith("gram.") and k.endswith(".value")],
        "losses": [k for k in exact if k.endswith((".content", ".style", ".total"))],
    }
    kinds |= {k: [k] for k in exact if k.endswith(".gradient") or k.startswith("adam.")}
    return {kind: f"{max(distance(exact[k], single[k]) for k in keys):.1e}" for kind, keys in kinds.items()}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        shown = pictures(*size)
        exact, single = vectors(shown, torch.float64), vectors(shown, torch.float32)
        figures = rounding(exact, single)
        assert all(distance(exact[f"{p}.gradient"], single[f"{p}.gradient"]) < 1e-5 for p in POOLINGS)
        exact = {k: v.astype("f4") if k.endswith((".value", ".gradient", ".picture")) else v for k, v in exact.items()}
        exact |= dict(zip(["content", "style", "start"], shown))
        # One entry, as the order of several changes from run to run.
        about = {"made by": "tools/make_vectors.py", "torch": torch.__version__, "float32 is off by": figures}
        path = OUT / "vgg19-{}x{}.safetensors".format(*size[0])
        save_file({k: np.ascontiguousarray(v) for k, v in exact.items()}, path, metadata={"about": json.dumps(about)})
        print(path.name, path.stat().st_size, figures)


if __name__ == "__main__":
    main()
