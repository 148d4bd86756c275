"""VGG16 with maximum pooling, as it was trained, as the judge of `tools/compare_any.py --max-pooling`, in PyTorch.

`impasto eval` measures with average pooling. Otherwise the figures are defined as there: content is |F − P| / |P| at
conv4_2, style the mean over conv1_1, conv2_1, conv3_1 and conv4_1, all behind their ReLUs, of the Wasserstein-2
distance of the features as normal distributions over the root of the style's mean square. Edges are filled with zeros.
With `pool = torch.nn.functional.avg_pool2d` it gives what `impasto eval` gives, to four digits.
"""

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

LAYERS = ["conv1_1", "conv1_2", "pool", "conv2_1", "conv2_2", "pool", "conv3_1", "conv3_2", "conv3_3", "pool",
          "conv4_1", "conv4_2"]
STYLE = ["conv1_1", "conv2_1", "conv3_1", "conv4_1"]
# Of blue, green and red, which is the order of the network's input.
MEAN = torch.tensor([103.939, 116.779, 123.68])[:, None, None]


class Judge:
    def __init__(self, weights, threads, pool=functional.max_pool2d):
        torch.set_num_threads(threads)
        self.weights = {name: values.float() for name, values in load_file(weights).items()}
        self.pool = pool

    @torch.inference_mode()
    def features(self, path):
        """Channels × positions of the layers that count."""
        picture = torch.tensor(np.array(Image.open(path).convert("RGB")))
        x, found = (picture.permute(2, 0, 1).flip(0).float() - MEAN)[None], {}
        for layer in LAYERS:
            if layer == "pool":
                x = self.pool(x, 2)
                continue
            x = functional.conv2d(x, self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"], padding=1).relu_()
            if layer in STYLE or layer == "conv4_2":
                found[layer] = x[0].flatten(1).clone()
        return found

    def judged(self, photo, painting, files):
        """Content and style of these pictures of a photograph in the style of a painting."""
        photo, painting = self.features(photo)["conv4_2"], self.features(painting)
        styles = {layer: Style(painting[layer]) for layer in STYLE}
        found = []
        for file in files:
            features = self.features(file)
            content = float((features["conv4_2"] - photo).norm() / photo.norm())
            layers = {layer: style.distance(features[layer]) for layer, style in styles.items()}
            style = sum(layers.values()) / len(layers)
            found.append({"content": content, "style": style, "wasserstein": layers})
        return found


def moments(features):
    mean = features.mean(1, keepdim=True)
    rest = features - mean
    return mean[:, 0].double(), (rest @ rest.T).double() / features.shape[1]


class Style:
    """A painting at one layer."""

    def __init__(self, features):
        self.mean, covariance = moments(features)
        values, vectors = torch.linalg.eigh(covariance)
        values = values.clamp(min=0)
        self.root, self.trace = vectors * values.sqrt(), values.sum()
        self.energy = self.trace + self.mean.square().sum()

    def distance(self, features):
        mean, covariance = moments(features)
        overlap = torch.linalg.eigvalsh(self.root.T @ covariance @ self.root).clamp(min=0).sqrt().sum()
        squared = (mean - self.mean).square().sum() + covariance.trace() + self.trace - 2 * overlap
        return float((squared.clamp(min=0) / self.energy).sqrt())
