"""Makes the small weight files that the tests of `impasto-nn` read, with the programs that people make them with.

    python3 -m venv .venv && .venv/bin/pip install torch numpy scipy safetensors
    .venv/bin/python tools/make_weight_fixtures.py crates/impasto-nn/tests/fixtures

Last run with torch 2.15.0, NumPy 2.4.6, SciPy 1.17.1, safetensors 0.8.0. `expected.json` holds what each file must
give: names, types, shapes and values, as the same programs read them back.
"""
import collections
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zipfile

import numpy as np
import scipy.io
import torch
from safetensors.torch import save_file

EXPECTED = {}


def expect(file, tensors, metadata=None):
    """Notes what a file must give; `tensors` maps names to torch tensors or NumPy arrays."""
    def entry(name, value):
        dtype = str(value.dtype).replace('torch.', '')
        short = {'float64': 'f64', 'float32': 'f32', 'float16': 'f16', 'bfloat16': 'bf16'}
        dtype = short.get(dtype, dtype.replace('uint', 'u').replace('int', 'i'))
        if isinstance(value, torch.Tensor):
            value = value.detach().to(torch.float32).numpy()
        values = np.ascontiguousarray(value, np.float32).ravel().tolist()
        return {'name': name, 'dtype': dtype, 'shape': list(value.shape), 'values': values}
    EXPECTED[file] = {'tensors': [entry(*item) for item in tensors.items()], 'metadata': metadata or {}}


def torch_tensors():
    """Every element type, and every way in which a tensor can lie in its storage."""
    random = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=random)
    flat = draw(40)
    base = draw(6, 5)
    tensors = collections.OrderedDict()
    tensors['plain'] = draw(4, 3, 3, 3)
    tensors['half'] = draw(7).half()
    tensors['brain'] = draw(7).bfloat16()
    tensors['double'] = draw(2, 3).double()
    tensors['long'] = torch.tensor([1, -2, 1 << 20])
    tensors['int'] = torch.tensor([[3], [-4]], dtype=torch.int32)
    tensors['short'] = torch.tensor([5, -6], dtype=torch.int16)
    tensors['char'] = torch.tensor([7, -8], dtype=torch.int8)
    tensors['byte'] = torch.tensor([9, 200], dtype=torch.uint8)
    tensors['flag'] = torch.tensor([True, False, True])
    tensors['single'] = torch.tensor(2.5)
    tensors['empty'] = torch.zeros(0, 3)
    tensors['transposed'] = base.t()
    tensors['window'] = base[1:5:2, 1:4]
    tensors['shared_front'] = flat[:16].view(4, 4)
    tensors['shared_back'] = flat[16:].view(2, 3, 4)
    tensors['last_channels'] = draw(2, 3, 4, 4).to(memory_format=torch.channels_last)
    tensors['repeated'] = torch.tensor([1.5, -2.5]).view(2, 1).expand(2, 3)
    tensors['parameter'] = torch.nn.Parameter(draw(3))
    return tensors


class Evil:
    def __reduce__(self):
        return os.system, ('echo executed > impasto-was-here',)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3))

    def forward(self, x):
        return self.features(x)


def make_torch(folder):
    tensors = torch_tensors()
    flags = {name: value for name, value in tensors.items()}
    for file, old in [('torch-zip.pth', False), ('torch-legacy.pth', True)]:
        torch.save(tensors, folder + file, _use_new_zipfile_serialization=not old)
        expect(file, flags)
    newer = {'u16': torch.tensor([1, 65535], dtype=torch.uint16), 'f32': torch.tensor([1.0, 2.0])}
    torch.save(newer, folder + 'torch-untyped.pth')
    expect('torch-untyped.pth', newer)

    nested = {'epoch': 3, 'arch': 'vgg19', 'best': 71.5, 'state_dict': {'module.features.0.weight': tensors['plain']},
              'optimizer': {'state': {0: {'momentum': tensors['half']}}, 'param_groups': [{'lr': 0.1, 'params': [0]}]}}
    expected = {'state_dict.module.features.0.weight': tensors['plain'], 'optimizer.state.0.momentum': tensors['half']}
    for file, old in [('torch-nested-zip.pth', False), ('torch-nested-legacy.pth', True)]:
        torch.save(nested, folder + file, _use_new_zipfile_serialization=not old)
        expect(file, expected, {'epoch': '3', 'arch': 'vgg19', 'best': '71.5'})
    torch.save(tensors['plain'], folder + 'torch-lone.pth')
    expect('torch-lone.pth', {'tensor': tensors['plain']})

    repack(folder + 'torch-zip.pth', folder + 'torch-deflated.pth', zipfile.ZIP_DEFLATED)
    expect('torch-deflated.pth', flags)
    big = {'f32': tensors['plain'], 'f64': tensors['double']}
    torch.save(big, folder + 'torch-big-endian.pth')
    swap_bytes(folder + 'torch-big-endian.pth', {'0': 4, '1': 8})
    expect('torch-big-endian.pth', big)
    python2(folder + 'torch-python2.pth')

    for file, old in [('evil-zip.pth', False), ('evil-legacy.pth', True)]:
        torch.save({'features.0.weight': Evil()}, folder + file, _use_new_zipfile_serialization=not old)
    torch.save(Network(), folder + 'torch-module.pth')
    torch.jit.script(Network()).save(folder + 'torch-script.pt')
    with open(folder + 'plain.pkl', 'wb') as f:
        pickle.dump({'a': [1, 2]}, f)
    batch = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save({'features.' + name: value for name, value in batch.state_dict().items()}, folder + 'vgg-bn.pth')
    torch.save({'conv1.weight': tensors['plain'], 'layer1.0.conv1.weight': tensors['plain']}, folder + 'resnet.pth')


def rewrite(source, target, compression, change):
    entries = []
    with zipfile.ZipFile(source) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(target, 'w', compression) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), change(name, data), compression)


def repack(source, target, compression):
    rewrite(source, target, compression, lambda name, data: data)
    torch.load(target)


def swap_bytes(path, widths):
    """Turns a file into what a big-endian machine writes."""
    def change(name, data):
        key = name.split('/')[-1]
        if name.endswith('/byteorder'):
            return b'big'
        if '/data/' in name:
            return np.frombuffer(data, f'<u{widths[key]}').byteswap().tobytes()
        return data
    before = torch.load(path)
    rewrite(path, path, zipfile.ZIP_STORED, change)
    after = torch.load(path)
    assert all(torch.equal(before[k], after[k]) for k in before)


def python2(path):
    """A state dict as Python 2 pickled it: text as bytes, an OrderedDict from a list of pairs, a view of a storage."""
    text = lambda s: b'U' + bytes([len(s)]) + s.encode()
    storage = lambda view: (b'(' + text('storage') + b'ctorch\nFloatStorage\n' + text('77') + text('cpu') + b'K\x06'
                            + view + b'tQ')
    tensor = lambda view, offset: (b'ctorch._utils\n_rebuild_tensor\n(' + storage(view) + b'K' + bytes([offset])
                                   + b'K\x02\x85K\x01\x85tR')
    view = b'(' + text('78') + b'K\x01K\x04t'
    pair = lambda name, value: b']q\x01(' + text(name) + value + b'e'
    body = (b'ccollections\nOrderedDict\n](' + pair('whole', tensor(b'N', 2)) + pair('view', tensor(view, 2))
            + b'e\x85R.')
    values = np.arange(6, dtype='<f4') + 0.5
    with open(path, 'wb') as f:
        pickle.dump(0x1950a86a20f9469cfc6c, f, 2)
        pickle.dump(1001, f, 2)
        pickle.dump({'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'int': 4}}, f, 2)
        f.write(b'\x80\x02' + body + b'\x80\x02]' + text('77') + b'a.' + struct.pack('<q', 6) + values.tobytes())
    expected = {'whole': torch.tensor(values[2:4]), 'view': torch.tensor(values[3:5])}
    loaded = torch.load(path)
    assert all(torch.equal(loaded[k], expected[k]) for k in expected), loaded
    expect(os.path.basename(path), expected)


def make_safetensors(folder):
    kinds = ['plain', 'half', 'brain', 'double', 'long', 'byte', 'single', 'empty', 'flag']
    tensors = {name: value for name, value in torch_tensors().items() if name in kinds}
    save_file(tensors, folder + 'kinds.safetensors', metadata={'input': 'a test', 'made by': 'safetensors'})
    expect('kinds.safetensors', tensors, {'input': 'a test', 'made by': 'safetensors'})


def mat_network(old):
    """A small network in the two layouts of MatConvNet, and what it must give."""
    random = np.random.default_rng(2)
    layers, tensors = [], {}
    for name, shape in [('conv1_1', (3, 3, 3, 4)), ('conv1_2', (3, 3, 4, 2)), ('fc6', (2, 2, 2, 5)), ('fc7', (1, 1, 5, 1))]:
        filters = random.standard_normal(shape).astype(np.float32)
        biases = random.standard_normal((1, shape[3]) if old else (shape[3], 1)).astype(np.float32)
        pad, stride = np.array([[1, 1, 1, 1]], np.uint8), np.array([[1, 1]], np.uint8)
        if old:
            layer = {'filters': filters, 'biases': biases, 'pad': pad, 'type': 'conv', 'name': name, 'stride': stride}
        else:
            weights = np.empty((1, 2), object)
            weights[0, 0], weights[0, 1] = filters, biases
            layer = {'name': name, 'type': 'conv', 'weights': weights, 'size': np.array([shape], float), 'pad': pad,
                     'stride': stride, 'precious': 0.0, 'dilate': np.array([[1.0]]), 'opts': np.empty((0, 0), object)}
        layers += [layer, {'type': 'relu', 'name': name.replace('conv', 'relu')}]
        tensors[name + '.weight'] = filters.transpose(3, 2, 0, 1)
        tensors[name + '.bias'] = biases.ravel()
    layers.append({'type': 'softmax', 'name': 'prob'})
    cell = np.empty((1, len(layers)), object)
    cell[0, :] = layers
    mean = np.broadcast_to(np.array([123.68, 116.779, 103.939], np.float32), (4, 4, 3))
    classes = np.empty((1, 3), object)
    classes[0, :] = ['tench, Tinca tinca', 'goldfish', 'große Katze']
    classes = {'name': classes, 'description': classes}
    normalization = {'averageImage': mean, 'imageSize': np.array([[4, 4, 3]], np.uint8), 'keepAspect': True,
                     'interpolation': 'bicubic'}
    if old:
        return {'layers': cell, 'classes': classes, 'normalization': normalization}, tensors
    meta = {'inputs': {'name': 'data'}, 'classes': classes, 'normalization': normalization}
    return {'layers': cell, 'meta': meta}, tensors


def make_matlab(folder):
    mean = {'averageImage': '123.68,116.779,103.939', 'layers': '9'}
    for layout in ['old', 'new']:
        network, tensors = mat_network(layout == 'old')
        for packed in [True, False]:
            file = f'mat-{layout}-{"packed" if packed else "plain"}.mat'
            scipy.io.savemat(folder + file, network, do_compression=packed)
            expect(file, tensors, mean)
    network, tensors = mat_network(False)
    scipy.io.savemat(folder + 'mat-net.mat', {'net': network}, do_compression=True)
    expect('mat-net.mat', tensors, mean)
    rng = np.random.default_rng(3)
    arrays = {'matrix': rng.standard_normal((2, 3)), 'cube': rng.standard_normal((2, 3, 4)).astype(np.float32),
              'bytes': np.arange(6, dtype=np.uint8).reshape(3, 2), 'single': np.float64([[7.0]]),
              'complex': np.array([[1 + 2j]])}
    scipy.io.savemat(folder + 'mat-arrays.mat', arrays, do_compression=True)
    del arrays['complex']
    expect('mat-arrays.mat', arrays)
    big_endian(folder + 'mat-big-endian.mat')


def big_endian(path):
    """A network of one layer as MATLAB wrote it on a big-endian machine; the bias is stored in a smaller type."""
    def element(kind, data):
        if 0 < len(data) <= 4:
            return struct.pack('>HH', len(data), kind) + data.ljust(4, b'\0')
        return struct.pack('>II', kind, len(data)) + data + b'\0' * (-len(data) % 8)

    def matrix(kind, dims, name, data):
        flags = element(6, struct.pack('>II', kind, 0))
        dims = element(5, struct.pack(f'>{len(dims)}i', *dims))
        return element(14, flags + dims + element(1, name) + data)

    filters = np.arange(3 * 3 * 3 * 2, dtype=np.float32).reshape(3, 3, 3, 2) / 7
    text = lambda s: matrix(4, (1, len(s)), b'', element(4, s.encode('utf-16-be')))
    weights = (matrix(7, filters.shape, b'', element(7, filters.astype('>f4').tobytes('F')))
               + matrix(6, (1, 2), b'', element(2, bytes([3, 250]))))
    fields = b''.join(f.ljust(8, b'\0') for f in [b'name', b'type', b'weights'])
    layer = matrix(2, (1, 1), b'', element(5, struct.pack('>i', 8)) + element(1, fields) + text('conv1_1')
                   + text('conv') + matrix(1, (1, 2), b'', weights))
    header = b'MATLAB 5.0 MAT-file, Platform: SOL2'.ljust(116) + b'\0' * 8 + struct.pack('>H', 0x0100) + b'MI'
    with open(path, 'wb') as f:
        f.write(header + matrix(1, (1, 1), b'layers', layer))
    read = scipy.io.loadmat(path)['layers'][0][0][0][0]
    assert read['name'][0] == 'conv1_1' and (read['weights'][0, 0] == filters).all()
    assert (read['weights'][0, 1] == [[3, 250]]).all()
    tensors = {'conv1_1.weight': filters.transpose(3, 2, 0, 1), 'conv1_1.bias': np.array([3.0, 250.0])}
    expect(os.path.basename(path), tensors)


def make_others(folder):
    np.savez(folder + 'arrays.npz', a=np.zeros(3))
    with tarfile.open(folder + 'torch-tar.pth', 'w', format=tarfile.USTAR_FORMAT) as tar:
        for name in ['sys_info', 'pickle', 'tensors', 'storages']:
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b'test'))


def main():
    folder = os.path.join(sys.argv[1], '')
    os.makedirs(folder, exist_ok=True)
    make_torch(folder)
    make_safetensors(folder)
    make_matlab(folder)
    make_others(folder)
    with open(folder + 'expected.json', 'w') as f:
        json.dump(EXPECTED, f, separators=(',', ':'))
    sizes = {name: os.path.getsize(folder + name) for name in sorted(os.listdir(folder))}
    for name, size in sizes.items():
        print(f'{size:8} {name}')
    print(f'{sum(sizes.values()):8} in all')


main()
