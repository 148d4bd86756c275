"""Makes the network of built-in styles of a trained model: 16-bit numbers, and a card that names the paintings.

    impasto train --any --styles PAINTINGS --photos PHOTOS --style starry-night.jpg … -o gallery.safetensors
    python3 -m venv venv && venv/bin/pip install numpy safetensors
    venv/bin/python tools/make_built_in_styles.py gallery.safetensors crates/impasto/styles/any.safetensors
"""

import json
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

TITLES = {
    "arearea": "Paul Gauguin, Arearea, 1892",
    "asylum-corridor": "Vincent van Gogh, Corridor in the Asylum, 1889",
    "berlin-street": "Ernst Ludwig Kirchner, Street in Berlin, 1913",
    "blue-dancers": "Edgar Degas, Blue Dancers, 1897",
    "cafe-terrace": "Vincent van Gogh, Café Terrace at Night, 1888",
    "cap-negre": "Henri-Edmond Cross, Landscape with Cap Nègre, about 1906",
    "composition-8": "Wassily Kandinsky, Composition 8, 1923",
    "composition-vii": "Wassily Kandinsky, Composition VII, 1913",
    "creation": "Giovanni di Paolo, The Creation of the World and the Expulsion from Paradise, 1445",
    "divan-japonais": "Henri de Toulouse-Lautrec, Divan Japonais, 1893",
    "etching": "Claude Lorrain, Mercury and Argus, 1662",
    "gold-screen": "Sakai Hōitsu, a blossoming tree on a folding screen, before 1829",
    "grande-jatte": "Georges Seurat, A Sunday on La Grande Jatte, 1886",
    "great-wave": "Katsushika Hokusai, The Great Wave off Kanagawa, 1831",
    "gulf-stream": "Winslow Homer, The Gulf Stream, 1899",
    "harvesters": "Pieter Bruegel the Elder, The Harvesters, 1565",
    "impression-sunrise": "Claude Monet, Impression (Sunrise), 1872",
    "knife-grinder": "Kazimir Malevich, The Knife Grinder, 1913",
    "misty-hills": "Edgar Degas, Landscape, 1892",
    "mont-sainte-victoire": "Paul Cézanne, Mont Sainte-Victoire, about 1904",
    "orchids": "Ernst Haeckel, Orchidae, 1904",
    "red-roofs": "Camille Pissarro, The Red Roofs, 1877",
    "red-tower": "Robert Delaunay, Red Eiffel Tower, 1911",
    "reed-pen": "Vincent van Gogh, Arles seen from the Wheat Fields, 1888",
    "reverie": "Alphonse Mucha, Reverie, 1897",
    "san-giorgio": "Claude Monet, San Giorgio Maggiore at Dusk, 1908",
    "shipwreck": "J. M. W. Turner, The Shipwreck, 1805",
    "starry-night": "Vincent van Gogh, The Starry Night, 1889",
    "the-kiss": "Gustav Klimt, The Kiss, 1908",
    "the-scream": "Edvard Munch, The Scream, 1893",
    "wheat-field": "Vincent van Gogh, Wheat Field with Cypresses, 1889",
}
SOURCE = (
    "trained by impasto on photographs of ImageNet's classes and on paintings, under VGG19 (Simonyan & Zisserman, "
    "CC BY 4.0): NOTICES says which, and under which terms they come"
)

source, target = sys.argv[1:]
with safe_open(source, "np") as model:
    metadata = model.metadata()
    tensors = {name: model.get_tensor(name).astype(np.float16) for name in model.keys()}
if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
    sys.exit("a parameter does not fit into 16 bits")
card = json.loads(metadata["card"])
card["name"] = "gallery" if len(card["styles"]) > 5 else "styles"
card["author"] = "the impasto developers"
card["license"] = "see NOTICES"
card["source"] = SOURCE
for style in card["styles"]:
    style["title"] = TITLES[style["name"]]
metadata["card"] = json.dumps(card, ensure_ascii=False)
save_file(tensors, target, metadata)
