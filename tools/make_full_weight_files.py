"""Makes whole VGG19 weight files for the tests of `impasto-nn`, in the containers and layouts that people have.

    python make_full_weight_files.py WEIGHTS FOLDER

WEIGHTS holds, for each of the 16 convolutions in order, the weights (out × in × 3 × 3, red first) and the biases as
little-endian f32. Needs NumPy and SciPy only: the PyTorch files are written without PyTorch. (They were compared with
its own by hand: `torch.load`, with `weights_only=True`, of 2.15.0 reads both containers.)
"""
import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import scipy.io

BLOCKS = [2, 2, 4, 4, 4]
WIDTHS = [64, 128, 256, 512, 512]


def read_convolutions(path):
    """Names, weights and biases."""
    numbers = np.fromfile(path, '<f4')
    convolutions, at, inputs = [], 0, 3
    for block, (count, outputs) in enumerate(zip(BLOCKS, WIDTHS), 1):
        for index in range(1, count + 1):
            size = outputs * inputs * 9
            weights = numbers[at:at + size].reshape(outputs, inputs, 3, 3)
            convolutions.append((f'conv{block}_{index}', weights, numbers[at + size:at + size + outputs]))
            at, inputs = at + size + outputs, outputs
    assert at == len(numbers)
    return convolutions


def with_bgr(convolutions):
    name, weights, biases = convolutions[0]
    return [(name, weights[:, ::-1], biases)] + convolutions[1:]


# MatConvNet

def matconvnet_layers(convolutions, full, old):
    """The 43 layers of `imagenet-vgg-verydeep-19.mat`: 16 convolutions, 3 that were fully connected, 18 ReLUs, 5
    poolings, softmax. `full` fully connected layers have their real size (and zeros), or are small."""
    layers = []

    def convolution(name, filters, biases, pad):
        pad, stride = np.full((1, 4), pad, np.uint8), np.array([[1, 1]], np.uint8)
        if old:
            layers.append({'filters': filters, 'biases': biases.reshape(1, -1), 'pad': pad, 'type': 'conv',
                           'name': name, 'stride': stride})
        else:
            weights = np.empty((1, 2), object)
            weights[0, 0], weights[0, 1] = filters, biases.reshape(-1, 1)
            layers.append({'name': name, 'type': 'conv', 'weights': weights,
                           'size': np.array([filters.shape], float), 'pad': pad, 'stride': stride, 'precious': 0.0,
                           'dilate': np.array([[1.0]]), 'opts': np.empty((0, 0), object)})

    def relu(name):
        layers.append({'type': 'relu', 'name': name, 'leak': 0.0, 'weights': np.empty((0, 0), object)})

    for name, weights, biases in convolutions:
        if name.endswith('_1') and name != 'conv1_1':
            pool(layers, int(name[4]) - 1)
        convolution(name, weights.transpose(2, 3, 1, 0), biases, 1)
        relu(name.replace('conv', 'relu'))
    pool(layers, 5)
    width = 4096 if full else 8
    for name, shape in [('fc6', (7, 7, 512, width)), ('fc7', (1, 1, width, width)), ('fc8', (1, 1, width, 1000))]:
        convolution(name, np.zeros(shape, np.float32), np.zeros(shape[3], np.float32), 0)
        if name != 'fc8':
            relu(name.replace('fc', 'relu'))
    layers.append({'type': 'softmax', 'name': 'prob', 'weights': np.empty((0, 0), object)})
    assert len(layers) == 43
    return cell(layers)


def pool(layers, number):
    layers.append({'name': f'pool{number}', 'stride': np.array([[2, 2]], np.uint8), 'pad': np.zeros((1, 4), np.uint8),
                   'type': 'pool', 'method': 'max', 'pool': np.array([[2, 2]], np.uint8)})


def cell(items):
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


def write_matconvnet(path, convolutions, full, old, packed, mean=(123.68, 116.779, 103.939)):
    layers = matconvnet_layers(convolutions, full, old)
    side = 224 if old else 1
    picture = np.broadcast_to(np.array(mean, np.float32), (side, side, 3))
    normalization = {'imageSize': np.array([[224.0, 224.0, 3.0]]), 'averageImage': picture, 'keepAspect': True,
                     'border': np.array([[32.0, 32.0]]), 'interpolation': 'bilinear'}
    names = cell([f'n{number:08}' for number in range(1000)])
    classes = {'name': names, 'description': names}
    if old:
        network = {'layers': layers, 'classes': classes, 'normalization': normalization}
    else:
        inputs = {'name': 'data', 'size': np.array([[224.0, 224.0, 3.0, 10.0]])}
        network = {'layers': layers, 'meta': {'inputs': inputs, 'classes': classes, 'normalization': normalization}}
    scipy.io.savemat(path, network, do_compression=packed)


# PyTorch

def stand_in(module, name, value):
    """Makes `value` the object that a pickle names `module.name`."""
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, value)
    return value


FloatStorage = stand_in('torch', 'FloatStorage', type('FloatStorage', (), {}))
HalfStorage = stand_in('torch', 'HalfStorage', type('HalfStorage', (), {}))
rebuild_tensor = stand_in('torch._utils', '_rebuild_tensor_v2', lambda *arguments: None)


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Tensor:
    def __init__(self, storage):
        self.storage = storage

    def __reduce__(self):
        shape = self.storage.values.shape
        stride = tuple(int(np.prod(shape[axis + 1:])) for axis in range(len(shape)))
        return rebuild_tensor, (self.storage, 0, shape, stride, False, collections.OrderedDict())


def pickled(state, legacy):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            kind = HalfStorage if value.values.dtype == np.float16 else FloatStorage
            numbers = ('storage', kind, value.key, 'cpu', value.values.size)
            return numbers + (None,) if legacy else numbers

    out = io.BytesIO()
    Pickler(out, 2).dump(state)
    return out.getvalue()


def state_dict(tensors, legacy):
    storages = [Storage(str(1000 + number if legacy else number), values) for number, values in
                enumerate(tensors.values())]
    state = collections.OrderedDict(zip(tensors, map(Tensor, storages)))
    return state, storages


def write_torch_zip(path, tensors):
    state, storages = state_dict(tensors, False)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        archive.writestr('archive/data.pkl', pickled(state, False))
        archive.writestr('archive/byteorder', 'little')
        for storage in storages:
            archive.writestr(f'archive/data/{storage.key}', storage.values.tobytes())
        archive.writestr('archive/version', '3\n')


def write_torch_legacy(path, tensors):
    state, storages = state_dict(tensors, True)
    facts = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'short': 2, 'int': 4, 'long': 4}}
    with open(path, 'wb') as f:
        for value in [0x1950a86a20f9469cfc6c, 1001, facts]:
            pickle.dump(value, f, 2)
        f.write(pickled(state, True))
        pickle.dump([storage.key for storage in storages], f, 2)
        for storage in storages:
            f.write(struct.pack('<q', storage.values.size) + storage.values.tobytes())


def features(convolutions, dtype=np.float32):
    """Under torchvision's names: a ReLU behind every convolution, a pooling behind every block."""
    tensors, number = {}, 0
    for name, weights, biases in convolutions:
        number += name.endswith('_1') and name != 'conv1_1'
        tensors[f'features.{number}.weight'] = np.ascontiguousarray(weights, dtype)
        tensors[f'features.{number}.bias'] = biases.astype(dtype)
        number += 2
    tensors['classifier.0.weight'] = np.zeros((8, 25088), dtype)
    tensors['classifier.0.bias'] = np.zeros(8, dtype)
    return tensors


def main():
    convolutions, folder = read_convolutions(sys.argv[1]), sys.argv[2]
    bgr = with_bgr(convolutions)
    to = lambda name: os.path.join(folder, name)
    write_matconvnet(to('new-packed-real-size.mat'), convolutions, full=True, old=False, packed=True)
    write_matconvnet(to('new-plain.mat'), convolutions, full=False, old=False, packed=False)
    write_matconvnet(to('old-plain.mat'), convolutions, full=False, old=True, packed=False)
    write_matconvnet(to('old-bgr.mat'), bgr, False, True, False, mean=(103.939, 116.779, 123.68))
    write_torch_zip(to('caffe-zip.pth'), features(bgr))
    write_torch_legacy(to('caffe-legacy.pth'), features(bgr))
    write_torch_zip(to('caffe-half.pth'), features(bgr, np.float16))


main()
