"""Makes the small style networks that impasto's importer is tested with, and what PyTorch and ONNX Runtime make of a
picture with them.

    python3 -m venv .venv && .venv/bin/pip install torch numpy onnx onnxruntime pillow safetensors
    .venv/bin/python tools/make_style_fixtures.py [--full FOLDER]

Last run with torch 2.15.0, NumPy 2.4.6, onnx 1.23.2, ONNX Runtime 1.32.0, safetensors 0.8.0. Writes
`crates/impasto-nn/tests/styles/`:

    narrow-current.pth       what pytorch/examples' `fast_neural_style` stores today: the tensors alone, in a zip
    narrow-module.pth        the same behind `module.`, in half precision
    narrow-old.pth           what it stored in 2017: `running_mean` and `running_var` too, not in a zip
    narrow-oldest.pth        with `scale` and `shift` for the normalisation's weight and bias
    narrow.safetensors       the same tensors as safetensors
    narrow-9.onnx            as the ONNX model zoo has them: opset 9, initialisers listed as inputs, one size
    narrow-11.onnx           opset 11, any size; paddings are computed
    narrow-17-numbers.onnx   opset 17, every name replaced by a number
    narrow.expected.safetensors
                             `picture` (uint8, 3 × height × width, red, green, blue) and `output`, what PyTorch makes of
                             it in float64 (0–255 and beyond); every file above holds the same network

The network has random weights, 4, 8 and 16 channels and 2 residual blocks; biases before the normalisation are
included, which must have no effect. ONNX Runtime must agree with PyTorch before anything is written. With `--full`, the
same files of the network at full size go to a folder of your own.
"""
import argparse
import collections
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / 'examples/pictures/astronaut.png'


class Convolution(nn.Module):
    """A convolution, its input enlarged and continued by reflection; the attribute gives the tensor's name."""
    def __init__(self, inputs, outputs, kernel, stride=1, enlarge=1):
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=enlarge, mode='nearest') if enlarge > 1 else None
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x):
        return self.conv2d(self.pad(x if self.enlarge is None else self.enlarge(x)))


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for number in (1, 2):
            setattr(self, f'conv{number}', Convolution(channels, channels, 3))
            setattr(self, f'in{number}', nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x):
        return x + self.in2(self.conv2(torch.relu(self.in1(self.conv1(x)))))


class Network(nn.Module):
    """The image transformation network, under the names of pytorch/examples."""
    def __init__(self, width, blocks):
        super().__init__()
        self.blocks = blocks
        plan = {'conv1': (3, width, 9), 'conv2': (width, 2 * width, 3, 2), 'conv3': (2 * width, 4 * width, 3, 2),
                'deconv1': (4 * width, 2 * width, 3, 1, 2), 'deconv2': (2 * width, width, 3, 1, 2),
                'deconv3': (width, 3, 9)}
        for name, settings in plan.items():
            setattr(self, name, Convolution(*settings))
        for number, name in enumerate(['conv1', 'conv2', 'conv3', 'deconv1', 'deconv2'], 1):
            setattr(self, f'in{number}', nn.InstanceNorm2d(plan[name][1], affine=True))
        for number in range(1, blocks + 1):
            setattr(self, f'res{number}', Block(4 * width))

    def forward(self, x):
        for number in (1, 2, 3):
            x = torch.relu(getattr(self, f'in{number}')(getattr(self, f'conv{number}')(x)))
        for number in range(1, self.blocks + 1):
            x = getattr(self, f'res{number}')(x)
        for number in (1, 2):
            x = torch.relu(getattr(self, f'in{number + 3}')(getattr(self, f'deconv{number}')(x)))
        return self.deconv3(x)


def random_network(width, blocks, seed):
    """Random weights, rounded to half precision so that every file holds the same ones; pictures stay near 0–255."""
    torch.manual_seed(seed)
    network = Network(width, blocks).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            norm = name.split('.')[-2].startswith('in')
            if norm:
                value.copy_(torch.randn_like(value) * 0.3 + (1 if name.endswith('weight') else 0))
            elif name == 'deconv3.conv2d.weight':
                value.mul_(150)
            elif name == 'deconv3.conv2d.bias':
                value.copy_(torch.tensor([110.0, 120.0, 130.0]))
            elif name.endswith('bias'):
                value.copy_(torch.randn_like(value) * 2)
            value.copy_(value.half().float())
    return network


def old_state(network, scale='weight', shift='bias'):
    """The state as PyTorch had it in 2017: running statistics too, or other names for the normalisation."""
    state = collections.OrderedDict()
    for name, value in network.state_dict().items():
        layer, what = name.rsplit('.', 1)
        if layer.split('.')[-1].startswith('in'):
            state[f'{layer}.{scale if what == "weight" else shift}'] = value
            if what == 'bias' and shift == 'bias':
                state[f'{layer}.running_mean'] = torch.randn_like(value)
                state[f'{layer}.running_var'] = torch.rand_like(value)
        else:
            state[name] = value
    return state


def numbered(model):
    """Every name in a graph replaced by a number, as some exporters and optimisers do."""
    names = {}
    number = lambda name: names.setdefault(name, str(len(names))) if name else name
    for node in model.graph.node:
        node.input[:] = [number(name) for name in node.input]
        node.output[:] = [number(name) for name in node.output]
        node.name = ''
    for value in [*model.graph.initializer, *model.graph.input, *model.graph.output]:
        value.name = number(value.name)
    del model.graph.value_info[:]
    return model


def write_onnx(network, picture, folder, stem):
    sides = {'input1': {2: 'height', 3: 'width'}, 'output1': {2: 'height', 3: 'width'}}
    export = lambda path, opset, **more: torch.onnx.export(
        network, (picture,), path, opset_version=opset, dynamo=False, input_names=['input1'],
        output_names=['output1'], **more)
    export(folder / f'{stem}-9.onnx', 9, keep_initializers_as_inputs=True)
    export(folder / f'{stem}-11.onnx', 11, dynamic_axes=sides)
    path = folder / f'{stem}-17-numbers.onnx'
    export(path, 17, dynamic_axes=sides)
    onnx.save(numbered(onnx.load(path)), path)


def write(network, picture, folder, stem):
    """All files of a network, and what it makes of the picture."""
    with torch.no_grad():
        output = network.double()(picture.double())
    network.float()
    state = network.state_dict()
    torch.save(collections.OrderedDict(state), folder / f'{stem}-current.pth')
    half = collections.OrderedDict((f'module.{name}', value.half()) for name, value in state.items())
    torch.save(half, folder / f'{stem}-module.pth')
    torch.save(old_state(network), folder / f'{stem}-old.pth', _use_new_zipfile_serialization=False)
    oldest = old_state(network, 'scale', 'shift')
    torch.save(oldest, folder / f'{stem}-oldest.pth', _use_new_zipfile_serialization=False)
    save_file(state, folder / f'{stem}.safetensors')
    write_onnx(network, picture, folder, stem)
    for path in sorted(folder.glob(f'{stem}-*.onnx')):
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
        [theirs] = session.run(None, {session.get_inputs()[0].name: picture.numpy()})
        error = np.abs(theirs - output.numpy()).max()
        print(f'{path.name}: ONNX Runtime differs from PyTorch in float64 by {error:.1e} of 255')
        assert error < 0.05
    tensors = {'picture': picture[0].to(torch.uint8), 'output': output[0].float()}
    save_file(tensors, folder / f'{stem}.expected.safetensors')
    for path in folder.glob(f'{stem}*.safetensors'):
        path.chmod(0o644)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--full', type=Path, help='write the network at full size to this folder instead')
    full = parser.parse_args().full
    warnings.simplefilter('ignore')
    onnxruntime.set_default_logger_severity(3)
    pixels = torch.from_numpy(np.asarray(Image.open(PICTURE).convert('RGB'), np.float32)).permute(2, 0, 1)[None]
    if full:
        full.mkdir(parents=True, exist_ok=True)
        write(random_network(32, 5, 3), pixels[:, :, :256, :320].contiguous(), full, 'full')
        return
    folder = ROOT / 'crates/impasto-nn/tests/styles'
    folder.mkdir(exist_ok=True)
    write(random_network(4, 2, 1), pixels[:, :, 40:72, 200:240].contiguous(), folder, 'narrow')


if __name__ == '__main__':
    main()
