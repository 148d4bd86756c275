"""Makes the network of built-in styles of a trained model: 16-bit numbers, and a card that names the paintings.

    impasto train --style starry-night.jpg … --photos PHOTOS -o five.safetensors
    python3 -m venv venv && venv/bin/pip install numpy safetensors
    venv/bin/python tools/make_built_in_styles.py five.safetensors crates/impasto/styles/styles.safetensors
"""

import json
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

TITLES = {
    "starry-night": "Vincent van Gogh, The Starry Night, 1889",
    "the-scream": "Edvard Munch, The Scream, 1893",
    "composition-vii": "Wassily Kandinsky, Composition VII, 1913",
    "great-wave": "Katsushika Hokusai, The Great Wave off Kanagawa, 1831",
    "shipwreck": "J. M. W. Turner, The Shipwreck, 1805",
}

source, target = sys.argv[1:]
with safe_open(source, "np") as model:
    metadata = model.metadata()
    tensors = {name: model.get_tensor(name).astype(np.float16) for name in model.keys()}
if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
    sys.exit("a parameter does not fit into 16 bits")
card = json.loads(metadata["card"])
card["name"] = "styles"
card["author"] = "the impasto developers"
card["license"] = "MIT OR Apache-2.0"
card["source"] = "trained by impasto on photographs of ImageNet's classes, under VGG19 (Simonyan & Zisserman, CC BY 4.0)"
for style in card["styles"]:
    style["title"] = TITLES[style["name"]]
metadata["card"] = json.dumps(card, ensure_ascii=False)
save_file(tensors, target, metadata)
