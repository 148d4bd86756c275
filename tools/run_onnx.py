"""Runs an ONNX file on pictures in ONNX Runtime, for the tests of the exporter.

    python tools/run_onnx.py MODEL.onnx FOLDER

Checks the file with onnx's own checker, shapes included. Every `HEIGHTxWIDTH.f32` of the folder (little-endian float32,
3 × height × width) goes through the network, and what comes out is written beside it as `HEIGHTxWIDTH.out`. Needs the
packages of `tools/requirements.txt`.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

model, folder = sys.argv[1], Path(sys.argv[2])
onnx.checker.check_model(model, full_check=True)
domains = {node.domain for node in onnx.load(model).graph.node}
assert domains == {''}, f'only standard operations: {domains}'
session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
for path in sorted(folder.glob('*.f32')):
    height, width = map(int, path.stem.split('x'))
    picture = np.fromfile(path, '<f4').reshape(1, 3, height, width)
    [painting] = session.run(None, {session.get_inputs()[0].name: picture})
    assert painting.shape == picture.shape, (painting.shape, picture.shape)
    painting.astype('<f4').tofile(path.with_suffix('.out'))
