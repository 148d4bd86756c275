"""Runs an ONNX file on pictures in ONNX Runtime, for the tests of the exporter.

    python tools/run_onnx.py MODEL.onnx FOLDER

Checks the file with onnx's own checker, shapes included. Every `HEIGHTxWIDTH.f32` of the folder (little-endian float32,
3 × height × width) goes through the network, and what comes out is written beside it as `HEIGHTxWIDTH.out`. A network of
two inputs sees it with every `HEIGHTxWIDTH.style` of the folder, and what comes out is `HEIGHTxWIDTH-HEIGHTxWIDTH.out`.
Needs the packages of `tools/requirements.txt`.
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
names = [given.name for given in session.get_inputs()]


def pictures(ending):
    for path in sorted(folder.glob(f'*.{ending}')):
        height, width = map(int, path.stem.split('x'))
        yield path.stem, np.fromfile(path, '<f4').reshape(1, 3, height, width)


def paint(name, *given):
    [painting] = session.run(None, dict(zip(names, given, strict=True)))
    assert painting.shape == given[0].shape, (painting.shape, given[0].shape)
    painting.astype('<f4').tofile(folder / f'{name}.out')


for size, picture in pictures('f32'):
    if len(names) == 1:
        paint(size, picture)
        continue
    for style_size, style in pictures('style'):
        paint(f'{size}-{style_size}', picture, style)
