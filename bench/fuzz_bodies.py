"""Mutated requests for the inference service: the same seed gives the same requests, byte for byte.

Whole files (PNG, JPEG, DICOM in several encodings, JSON, V2 tensors as JSON, as bytes and as gRPC messages, forms) are
changed as bytes and as what they are: chunks with a right checksum, header fields with extreme values, bombs.
"""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

import hilum.imaging  # noqa: F401 - before pydicom
from services.inference.rpc import open_inference_pb2 as pb
from tests.hilum.imaging import bodies
from tests.releases import pattern

BOUNDARY = "hilum-fuzz-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
# Fixed: fresh ones would make two runs differ.
UIDS = {f"{name}InstanceUID": f"1.2.826.0.1.3680043.8.498.{k}" for k, name in enumerate(("Study", "Series", "SOP"), 1)}
EXTREMES = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True)
class Case:
    """One request; `{model}` in `path` stands for the release's name.

    `grpc`: the body is a ModelInferRequest without the model's name: protobuf lets it be put before.
    """

    kind: str
    path: str
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    grpc: bool = False


def mutate(data: bytes, rng: random.Random) -> bytes:
    """`data` with 1 to 8 changes: bytes, runs, numbers, cuts, repeats."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(changed)) if changed else 0
        # Headers decide more than pixels do.
        if rng.random() < 0.5:
            at = min(at, rng.randrange(600))
        match rng.randrange(8):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                changed[at : at + 1] = bytes([changed[at] ^ 1 << rng.randrange(8)]) if at < len(changed) else b""
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + rng.randrange(1, 64)]
            case 4:
                changed[at:at] = changed[at : at + rng.randrange(1, 256)]
            case 5:
                changed[at:at] = rng.randbytes(rng.randrange(1, 64))
            case 6:
                order = rng.choice("<>")
                changed[at : at + 4] = struct.pack(f"{order}I", rng.choice(EXTREMES) & 0xFFFFFFFF)
            case _:
                changed[at : at + 2] = struct.pack("<H", rng.choice(EXTREMES) & 0xFFFF)
    return bytes(changed)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 8 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def _png(rng: random.Random) -> bytes:
    data = rng.choice(_pngs())
    if rng.random() < 0.5:
        return mutate(data, rng)
    chunks = _png_chunks(data)
    k = rng.randrange(len(chunks))
    kind, content = chunks[k]
    match rng.randrange(5):
        case 0:
            chunks[k] = (kind, mutate(content, rng) if content else rng.randbytes(5))
        case 1:
            chunks.insert(k, chunks[rng.randrange(len(chunks))])
        case 2:
            bomb = zlib.compress(bytes(rng.choice((10**5, 10**7, 10**8))), 9)
            text = rng.choice(((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"p\0\0"), (b"IDAT", b"")))
            chunks.insert(min(k + 1, len(chunks) - 1), (text[0], text[1] + bomb))
        case 3:
            fields = [rng.choice(EXTREMES) & 0x7FFFFFFF, rng.choice(EXTREMES) & 0x7FFFFFFF]
            depth = bytes(
                [rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 9)), 0, 0, rng.choice((0, 1, 7))]
            )
            chunks[0] = (b"IHDR", struct.pack(">II", *fields) + depth)
        case _:
            del chunks[k]
    return data[:8] + b"".join(_chunk(*chunk) for chunk in chunks)


def _jpeg(rng: random.Random) -> bytes:
    data = rng.choice(_jpegs())
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    if at > 0 and rng.random() < 0.2:
        size = struct.pack(">HH", rng.choice(EXTREMES) & 0xFFFF, rng.choice(EXTREMES) & 0xFFFF)
        return data[: at + 5] + size + data[at + 9 :]
    return mutate(data, rng)


_KEYWORDS = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelAspectRatio",
    "ViewPosition",
    "Modality",
    "PatientAge",
    "StudyDate",
    "StudyInstanceUID",
    "SOPClassUID",
    "SmallestImagePixelValue",
    "PlanarConfiguration",
    "PixelSpacing",
    "SpecificCharacterSet",
)
_TEXTS = ("", "0", "-1", "1e308", "NaN", "9" * 300, "MONOCHROME1", "RGB", "PALETTE COLOR", "\\\\", "1.2.3", "x" * 70)


def _dicom(rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        return mutate(rng.choice(_dicoms()), rng)
    changes: dict[str, object] = {}
    for keyword in rng.sample(_KEYWORDS, rng.randrange(1, 4)):
        changes[keyword] = rng.choice((None, *_TEXTS, *(value & 0xFFFF for value in EXTREMES)))
    try:
        return bodies.dicom(pattern(rng.randrange(16), 64), **{**UIDS, **changes})
    except Exception:  # pydicom itself refuses to write some of them
        return mutate(rng.choice(_dicoms()), rng)


@cache
def _pngs() -> list[bytes]:
    film = pattern(None, 96)
    kinds = [bodies.picture(film), bodies.picture(film.astype(np.uint16) * 257)]
    return [*kinds, bodies.picture(np.stack([film] * 3, -1)), bodies.picture(pattern(3, 96) > 100)]


@cache
def _jpegs() -> list[bytes]:
    film = pattern(None, 96)
    return [
        bodies.picture(film, "JPEG", quality=85),
        bodies.picture(film, "JPEG", progressive=True),
        bodies.picture(np.stack([film] * 3, -1), "JPEG"),
        bodies.sample("nih_00001350_000.jpg"),
    ]


@cache
def _dicoms() -> list[bytes]:
    film = pattern(None, 96)
    plain = bodies.dicom(film, **UIDS)
    made = [plain, bodies.dicom(film.astype(np.uint16) * 16, **UIDS), nested_sequences(40), deflated(plain)]
    made += [
        bodies.compressed(bodies.dataset(film, **UIDS), syntax)
        for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless)
    ]
    return made


def nested_sequences(depth: int) -> bytes:
    """A DICOM film whose header holds `depth` sequences inside one another, of undefined length."""
    plain = bodies.dicom(pattern(1, 64), **UIDS)
    opening = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    at = plain.find(b"\x08\x00\x60\x00CS")
    return plain[:at] + opening * depth + closing * depth + plain[at:]


def deflated(plain: bytes, inflated: bytes | None = None) -> bytes:
    """`plain` with its data set (or `inflated`) deflated, under the transfer syntax that says so."""
    at = plain.find(b"\x02\x00\x10\x00UI")
    (size,) = struct.unpack("<H", plain[at + 6 : at + 8])
    (group,) = struct.unpack("<I", plain[140:144])
    syntax = b"1.2.840.10008.1.2.1.99"
    end = 144 + group
    meta = plain[132:at] + b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax + plain[at + 8 + size : end]
    meta = meta[:8] + struct.pack("<I", group - size + len(syntax)) + meta[12:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return plain[:132] + meta + packer.compress(plain[end:] if inflated is None else inflated) + packer.flush()


def multipart(*parts: tuple[str, bytes | str]) -> bytes:
    """A form: bytes are files, texts are fields."""
    lines = []
    for name, value in parts:
        file = '; filename="film"' if isinstance(value, bytes) else ""
        lines.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode())
        lines.append((value if isinstance(value, bytes) else value.encode()) + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def _film_case(kind: str, make: Callable[[random.Random], bytes]) -> Callable[[random.Random], Case]:
    def case(rng: random.Random) -> Case:
        film = make(rng)
        where = rng.random()
        if where < 0.7:
            return Case(kind, "/v1/predict", FORM, multipart(("file", film)))
        if where < 0.85:
            films = [("file", film), ("file", rng.choice(_pngs()))]
            return Case(kind, "/v1/predict", FORM, multipart(*films, ("view", "PA"), ("view", "LATERAL")))
        text = base64.b64encode(film).decode()
        return Case(kind, "/predict", "application/json", json.dumps({"image": text}).encode())

    return case


def _form(rng: random.Random) -> Case:
    body = multipart(("file", rng.choice(_pngs())), ("view", "PA"))
    head = body.find(b"\r\n\r\n") + 4
    return Case(
        "form",
        "/v1/predict",
        rng.choice((FORM, FORM, FORM.upper(), FORM + "x", "multipart/form-data")),
        mutate(body[:head], rng) + (body[head:] if rng.random() < 0.7 else mutate(body[head:], rng)),
    )


_JSON = ("null", "true", "{}", "[]", '""', "1e999", "-0", "NaN", "[[[[]]]]", '"\\ud800"', "9" * 400, '{"a":{"a":1}}')


def _json(rng: random.Random) -> Case:
    text = json.dumps({"image": base64.b64encode(rng.choice(_pngs())).decode()})
    data = mutate(text.encode(), rng) if rng.random() < 0.5 else f'{{"image": {rng.choice(_JSON)}}}'.encode()
    return Case("json", "/predict", "application/json", data)


def _tensor() -> np.ndarray:
    return (pattern(2, 128).astype(np.float32) / 128 - 1).reshape(1, 1, 128, 128)


def _v2_json(rng: random.Random) -> Case:
    given: dict[str, object] = {"name": "film", "shape": [1, 1, 128, 128], "datatype": "FP32"}
    given["data"] = [0.25] * 16384
    document: dict[str, object] = {"id": "1", "inputs": [given], "outputs": [{"name": "probabilities"}]}
    if rng.random() < 0.6:
        target = rng.choice((given, document))
        target[rng.choice(list(target))] = json.loads(rng.choice([x for x in _JSON if x not in {"NaN", "1e999"}]))
        data = json.dumps(document).encode()
    else:
        data = mutate(json.dumps(document).encode(), rng)
    return Case("v2 json", "/v2/models/{model}/infer", "application/json", data)


def _v2_binary(rng: random.Random) -> Case:
    raw = _tensor().astype("<f4").tobytes()
    if rng.random() < 0.3:
        raw = mutate(raw, rng)
    elif rng.random() < 0.2:
        raw = raw[:400] + struct.pack("<f", rng.choice((float("nan"), float("inf"), -float("inf")))) + raw[404:]
    size = rng.choice((len(raw), 65536, 65536, -1, 0, 2**40))
    given = {"name": "film", "shape": [1, 1, 128, 128], "datatype": "FP32", "parameters": {"binary_data_size": size}}
    top = json.dumps({"inputs": [given], "parameters": {"binary_data_output": rng.random() < 0.5}}).encode()
    if rng.random() < 0.4:
        top = mutate(top, rng)
    length = str(rng.choice((len(top), len(top), len(top), 0, len(top) + 1, 10**9)))
    headers = (("inference-header-content-length", length),)
    return Case("v2 binary", "/v2/models/{model}/infer", "application/octet-stream", top + raw, headers)


def _grpc(rng: random.Random) -> Case:
    message = pb.ModelInferRequest(raw_input_contents=[_tensor().astype("<f4").tobytes()])
    message.inputs.add(name="film", datatype="FP32", shape=[1, 1, 128, 128])
    if rng.random() < 0.4:
        message.inputs[0].shape[rng.randrange(4)] = rng.choice((-1, 0, 2**62, 3))
    data = message.SerializeToString()
    return Case("grpc", "", "", mutate(data, rng) if rng.random() < 0.7 else data, grpc=True)


MAKERS: dict[str, Callable[[random.Random], Case]] = {
    "png": _film_case("png", _png),
    "jpeg": _film_case("jpeg", _jpeg),
    "dicom": _film_case("dicom", _dicom),
    "form": _form,
    "json": _json,
    "v2 json": _v2_json,
    "v2 binary": _v2_binary,
    "grpc": _grpc,
}


def cases(seed: int, count: int) -> Iterator[Case]:
    """`count` requests, the kinds in turn."""
    makers = list(MAKERS.values())
    for k in range(count):
        yield makers[k % len(makers)](random.Random(f"{seed}/{k}"))  # noqa: S311 - to be repeated, not to be secret


def bombs() -> Iterator[Case]:
    """What is small to send and large to unpack, and deep structures."""

    def film(kind: str, data: bytes) -> Case:
        return Case(f"bomb: {kind}", "/v1/predict", FORM, multipart(("file", data)))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 16, 0, 0, 0, 0)
    idat = zlib.compress(bytes(10**8), 9)
    end = _chunk(b"IEND", b"")
    top = b"\x89PNG\r\n\x1a\n"
    yield film("PNG of 40,000 x 40,000", top + _chunk(b"IHDR", header) + _chunk(b"IDAT", idat) + end)
    small = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    for kind, before in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"p\0\0")):
        chunk = _chunk(kind, before + zlib.compress(bytes(5 * 10**8), 9))
        good = _chunk(b"IDAT", zlib.compress(b"\0" + bytes(64)) * 64)
        yield film(f"PNG {kind.decode()} of 500 MB", top + _chunk(b"IHDR", small) + chunk + good + end)
    yield film(
        "PNG IDAT of 500 MB in 64 x 64",
        top + _chunk(b"IHDR", small) + _chunk(b"IDAT", zlib.compress(bytes(5 * 10**8), 9)) + end,
    )
    jpeg = _jpegs()[0]
    at = jpeg.find(b"\xff\xc0")
    yield film("JPEG of 65,500 x 65,500", jpeg[: at + 5] + struct.pack(">HH", 65500, 65500) + jpeg[at + 9 :])
    plain = bodies.dicom(pattern(1, 64), **UIDS)
    yield film("deflated DICOM of 1 GB", deflated(plain, plain[400:] + bytes(10**9)))
    yield film("DICOM in 100,000 sequences", nested_sequences(100_000))
    yield film("DICOM of 65,535 x 65,535", bodies.dicom(pattern(1, 64), Rows=65535, Columns=65535, **UIDS))
    yield Case("bomb: JSON in 100,000 brackets", "/predict", "application/json", b'{"image":' + b"[" * 100_000)
    yield Case(
        "bomb: V2 in 100,000 brackets",
        "/v2/models/{model}/infer",
        "application/json",
        b'{"inputs":[{"name":"film","shape":[1],"datatype":"FP32","data":' + b"[" * 100_000,
    )
    yield Case(
        "bomb: V2 shape of 2^64",
        "/v2/models/{model}/infer",
        "application/json",
        b'{"inputs":[{"name":"film","shape":[9223372036854775808,1,128,128],"datatype":"FP32","data":[0]}]}',
    )
    parts = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a{k}"\r\n\r\n\r\n'.encode() for k in range(50_000)
    )
    yield Case("bomb: form of 50,000 fields", "/v1/predict", FORM, parts + f"--{BOUNDARY}--\r\n".encode())
