"""Runs an image transformation network in ONNX Runtime and prints the seconds of each pass as one JSON object.

    venv/bin/pip install onnxruntime numpy pillow
    venv/bin/python tools/rival_stylize_ort.py --onnx wave.onnx --picture photo.jpg [--runs 5] [--threads 2]

The network takes 1×3×H×W and gives the same. The first pass, in which ONNX Runtime plans its memory, is not counted.
"""

import argparse
import json
import os
import resource
import time

import numpy as np
import onnxruntime
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("--onnx", required=True)
parser.add_argument("--picture", required=True)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
args = parser.parse_args()

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
picture = np.asarray(Image.open(args.picture).convert("RGB"), dtype=np.float32).transpose(2, 0, 1)[None]
picture = np.ascontiguousarray(picture)

seconds = []
for _ in range(args.runs + 1):
    begun = time.perf_counter()
    session.run(None, {name: picture})
    seconds.append(time.perf_counter() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"version": onnxruntime.__version__, "seconds": seconds[1:], "peak": peak}))
