"""Makes the small picture files that impasto's decoders are tested with, and what Pillow and Little CMS make of them.

    python3 -m venv .venv && .venv/bin/pip install pillow numpy
    .venv/bin/python tools/make_picture_fixtures.py

Last run with Pillow 13.0.0 (Little CMS 2.19), NumPy 2.4.6. Writes `crates/impasto/tests/pictures/files/`:

    NAME.EXT            a picture of 24 × 18 pixels, from `examples/pictures/chelsea.png`
    NAME.EXT.expected.png
                        what it is in sRGB, for those whose colours need work

The profiles are made here, byte by byte as ICC.1:2001-04 has them: a matrix of wide primaries with a gamma of 1.8; a grey
of gamma 1.5; tables from red, green and blue, and from four inks, to Lab. None is anybody's property.
"""
import io
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / 'crates/impasto/tests/pictures/files'
SIZE = (24, 18)
WHITE = (0.9642, 1.0, 0.8249)


def fixed(x):
    return struct.pack('>i', round(x * 65536))


def xyz(values):
    return b'XYZ \0\0\0\0' + b''.join(map(fixed, values))


def gamma(g):
    return b'curv\0\0\0\0' + struct.pack('>IH', 1, round(g * 256))


def text(t):
    return b'text\0\0\0\0' + t.encode() + b'\0'


def description(t):
    t = t.encode() + b'\0'
    return b'desc\0\0\0\0' + struct.pack('>I', len(t)) + t + bytes(4 + 4 + 2 + 1 + 67)


def profile(kind, space, pcs, tags):
    """A version 2 profile with these tags, perceptual."""
    tags = {b'desc': description('fixture'), b'cprt': text('no copyright'), b'wtpt': xyz(WHITE), **tags}
    table, data, place = b'', b'', 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack('>II', place + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = struct.pack('>I4sI4s4s4s6H4s', place + len(data), b'\0\0\0\0', 0x02400000, kind, space, pcs,
                       2020, 1, 1, 0, 0, 0, b'acsp')
    head += bytes(24) + struct.pack('>I', 0) + b''.join(map(fixed, WHITE))
    head += bytes(128 - len(head))
    return head + struct.pack('>I', len(tags)) + table + data


def matrix_profile():
    columns = {b'rXYZ': (0.75, 0.28, 0.02), b'gXYZ': (0.15, 0.66, 0.06), b'bXYZ': (0.0642, 0.06, 0.7449)}
    tags = {name: xyz(values) for name, values in columns.items()}
    return profile(b'mntr', b'RGB ', b'XYZ ', {**tags, **{name: gamma(1.8) for name in (b'rTRC', b'gTRC', b'bTRC')}})


def grey_profile():
    return profile(b'mntr', b'GRAY', b'XYZ ', {b'kTRC': gamma(1.5)})


def lab_of(rgb):
    """Lab of linear light in sRGB primaries, relative to D50."""
    m = np.array([[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
    t = (rgb @ m.T) / np.array(WHITE)
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def table_profile(kind, space, channels, grid, light):
    """A profile of the kind lut16: `light` gives linear light of the channels' values of 0-1."""
    axes = np.meshgrid(*[np.linspace(0, 1, grid)] * channels, indexing='ij')
    lab = lab_of(light(np.stack(axes, -1)))
    codes = np.stack([lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], -1)
    codes = np.clip(np.round(codes), 0, 65535).astype('>u2')
    identity = b''.join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    line = struct.pack('>HH', 0, 65535)
    lut = b'mft2\0\0\0\0' + struct.pack('>BBBx', channels, 3, grid) + identity + struct.pack('>HH', 2, 2)
    return profile(kind, space, b'Lab ', {b'A2B0': lut + line * channels + codes.tobytes() + line * 3})


def photograph():
    picture = Image.open(ROOT / 'examples/pictures/chelsea.png').convert('RGB')
    picture.info = {}
    return picture.resize(SIZE, Image.Resampling.LANCZOS)


def save(picture, name, **options):
    picture.save(OUT / name, **options)
    return OUT / name


def expect(path, icc=None):
    """What Little CMS makes of a file with a profile, or Pillow of one without."""
    picture = Image.open(path)
    if icc is None:
        rgb = picture.convert('RGB')
    else:
        srgb = ImageCms.createProfile('sRGB')
        intent = ImageCms.Intent.PERCEPTUAL
        flags = ImageCms.Flags.HIGHRESPRECALC | ImageCms.Flags.NOOPTIMIZE
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        rgb = ImageCms.profileToProfile(picture, source, srgb, renderingIntent=intent, outputMode='RGB', flags=flags)
    rgb.info = {}
    rgb.save(path.parent / f'{path.name}.expected.png')


def with_profiles(rgb):
    wide, grey = matrix_profile(), grey_profile()
    table = table_profile(b'scnr', b'RGB ', 3, 17, lambda x: np.stack([x[..., 1], x[..., 2], x[..., 0]], -1) ** 2)
    inks = table_profile(b'prtr', b'CMYK', 4, 9, lambda x: (1 - 0.9 * x[..., :3]) ** 1.7 * (1 - x[..., 3:]) ** 2)
    expect(save(rgb, 'matrix.png', icc_profile=wide), wide)
    expect(save(rgb, 'matrix.jpg', icc_profile=wide, quality=92, subsampling=0), wide)
    expect(save(rgb, 'matrix.webp', icc_profile=wide, lossless=True), wide)
    expect(save(rgb, 'matrix.tiff', icc_profile=wide), wide)
    expect(save(rgb, 'table.png', icc_profile=table), table)
    expect(save(rgb.convert('L'), 'grey-profile.png', icc_profile=grey), grey)
    cmyk = separated(rgb)
    expect(save(cmyk, 'inks-profile.jpg', icc_profile=inks, quality=92), inks)
    expect(save(cmyk, 'inks-profile.tiff', icc_profile=inks), inks)


def separated(rgb):
    """Red, green and blue as inks, with a part of the grey in black."""
    inks = 255 - np.asarray(rgb).astype(int)
    black = inks.min(-1, keepdims=True) // 2
    coloured = (inks - black) * 255 // (255 - black)
    return Image.fromarray(np.concatenate([coloured, black], -1).astype(np.uint8), 'CMYK')


def adobe_ycck(rgb):
    """Pillow writes CMYK only: the same file with YCCK in it, told by Adobe's segment."""
    data = np.asarray(separated(rgb)).astype(float)
    light = 255 - data  # what the file holds for CMYK
    r, g, b = (255 - light[..., i] for i in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = [y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402, light[..., 3]]
    ycck = 255 - np.clip(np.round(np.stack(planes, -1)), 0, 255)
    stream = io.BytesIO()
    Image.fromarray(ycck.astype(np.uint8), 'CMYK').save(stream, 'JPEG', quality=95)
    jpeg = bytearray(stream.getvalue())
    jpeg[jpeg.index(b'Adobe') + 11] = 2
    (OUT / 'ycck.jpg').write_bytes(jpeg)


def every_kind(rgb):
    grey, rgba = rgb.convert('L'), rgb.copy()
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rgba.putalpha(Image.fromarray(np.clip(255 - 3 * ((x - 11) ** 2 + (y - 9) ** 2), 0, 255).astype(np.uint8)))
    palette = rgb.quantize(32)
    save(rgb, 'plain.png')
    save(rgba, 'alpha.png')
    save(palette, 'palette.png')
    save(palette, 'palette-alpha.png', transparency=3)
    save(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), 'grey16.png')
    save(grey.convert('1'), 'bits.png')
    expect(save(rgb, 'baseline.jpg', quality=90, subsampling=0))
    expect(save(rgb, 'progressive.jpg', quality=90, progressive=True))
    expect(save(grey, 'grey.jpg', quality=90))
    expect(save(separated(rgb), 'inks.jpg', quality=92))
    adobe_ycck(rgb)
    expect(OUT / 'ycck.jpg')
    expect(save(rgb, 'lossy.webp', quality=80))
    save(rgba, 'alpha-lossy.webp', quality=80)
    save(rgba, 'alpha.webp', lossless=True)
    save(rgb, 'plain.tiff')
    save(rgb, 'lzw.tiff', compression='tiff_lzw')
    save(rgb, 'deflate.tiff', compression='tiff_adobe_deflate')
    save(rgba, 'alpha.tiff')
    save(palette, 'palette.tiff')
    expect(save(separated(rgb), 'inks.tiff'))
    save(rgb, 'plain.bmp')
    save(palette, 'palette.bmp')
    save(palette, 'plain.gif')
    save(rgb, 'plain.ppm')
    save(grey, 'grey.pgm')
    interlaced(rgb)
    camera(rgb)
    frames = [rgb, rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    for name in ('animated.gif', 'animated.png', 'animated.webp'):
        save(frames[0], name, save_all=True, append_images=frames[1:], duration=100)


def camera(rgb):
    """What a telephone writes: turned, with a place in EXIF and in XMP."""
    exif = Image.Exif()
    exif.update({0x010f: 'Telephones', 0x0112: 6, 0x8298: 'somebody'})
    exif.get_ifd(0x8769).update({0x829a: TiffImagePlugin.IFDRational(1, 125), 0x9003: '2020:02:02 12:00:00', 0x927c: b'the maker alone knows'})
    exif.get_ifd(0x8825).update({1: 'N', 2: (48.0, 51.0, 29.0), 3: 'E', 4: (2.0, 17.0, 40.0)})
    xmp = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 exif:GPSLatitude="48,51.483N" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>"""
    text = PngImagePlugin.PngInfo()
    text.add_itxt('XML:com.adobe.xmp', xmp)
    for ending in ('jpg', 'png', 'webp', 'tiff'):
        # In TIFF, Pillow writes the main directory alone, and takes it from one place.
        own = {'tiffinfo': {0x010f: 'Telephones', 0x0112: 6, 700: xmp.encode()}} if ending == 'tiff' else {'exif': exif}
        save(rgb, f'camera.{ending}', xmp=xmp.encode(), pnginfo=text, **own)


def interlaced(rgb):
    """PNG by Adam7, which Pillow cannot write."""
    import zlib
    pixels, raw = np.asarray(rgb), b''
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for row in pixels[y::dy, x::dx]:
            raw += b'\0' + row.tobytes() if row.size else b''
    def chunk(name, body):
        return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
    head = struct.pack('>IIBBBBB', *SIZE, 8, 2, 0, 0, 1)
    png = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b'')
    (OUT / 'interlaced.png').write_bytes(png)


def everywhere():
    """`camera.jpg` with every field that exiftool can write and that may tell a place.

    Needs exiftool (Debian's libimage-exiftool-perl; last run with 12.57). Texts are the name of a place that is none,
    numbers are those of one; the author, the copyright and the lens are there to be kept.
    """
    words = 'GPS|Location|City|State|Province|Country|Region|Place|Address|Postal|Latitude|Longitude|Coverage'
    words += '|Comment|Subject|Keywords|Description|Title|Caption|Headline|Instructions|Category|Offset ?Time|Venue'
    path, fields = OUT / 'everywhere.jpg', []
    path.unlink(missing_ok=True)
    for group in ('EXIF', 'IPTC', 'XMP'):
        listed = subprocess.run(['exiftool', '-listw', f'-{group}:All'], check=True, capture_output=True, text=True)
        fields += [f'{group}:{tag}' for tag in listed.stdout.partition(':')[2].split() if re.search(words, tag)]
    number = re.compile('GPS|Latitude|Longitude')
    values = [f'-{tag}={12.5 if number.search(tag) else "Nowhereville"}' for tag in fields]
    values += ['-EXIF:GPSLatitudeRef=N', '-EXIF:GPSLongitudeRef=E', '-EXIF:GPSAreaInformation=Nowhereville']
    values += [f'-EXIF:OffsetTime{of}=+05:45' for of in ('', 'Original', 'Digitized')]
    values += ['-IPTC:CodedCharacterSet=UTF8', '-IPTC:By-line=Ann Author', '-IPTC:CopyrightNotice=Copy Right']
    values += ['-EXIF:LensModel=Glass 50', '-XMP-dc:Creator=Ann Author', '-XMP-xmp:CreateDate=2020:02:02 12:00:00+05:45']
    values += ['-IPTC:TimeCreated=12:00:00+05:45']
    subprocess.run(['exiftool', '-q', '-q', '-m', *values, '-o', path, OUT / 'camera.jpg'], check=False)
    assert path.exists()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rgb = photograph()
    every_kind(rgb)
    with_profiles(rgb)
    everywhere()


if __name__ == '__main__':
    main()
