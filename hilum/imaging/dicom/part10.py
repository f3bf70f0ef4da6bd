"""A DICOM file's outer shape: preamble, file meta information, then the data set (PS3.10 section 7).

Read here instead of by `pydicom.dcmread` for three reasons: only the attributes that are needed are taken in (the
patient's name is not among them), a deflated file can't grow without bound, and the effort spent on a hostile header is
limited. Preamble and meta information may be missing, as in files from before 1993 and from some senders' disks.
"""

from __future__ import annotations

import logging
import re
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hilum.imaging.errors import BadFilm, DamagedFilm, FilmTooLarge, TruncatedFilm, UnsupportedEncoding
from hilum.imaging.limits import Limits

# pydicom's complaints quote header values, which may identify a patient; what matters is said by FilmWarning instead.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")

# One element costs at most three reads; the largest headers of projection films have some thousand elements.
MAX_READS = 60_000
# Items of sequences and fragments of pixels: each becomes an object.
MAX_ITEMS = 20_000
MAX_META_ELEMENTS = 100
_ITEM = {True: b"\xfe\xff\x00\xe0", False: b"\xff\xfe\xe0\x00"}
_LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, eq=False)
class Part10:
    """A file's data set, of the wanted attributes only, and what the meta information says."""

    dataset: Dataset
    transfer_syntax_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    little_endian: bool


def _too_many() -> DamagedFilm:
    return DamagedFilm("The DICOM file has too many elements or items for a film. Send the film without them.")


class _CountedReader(BytesIO):
    """Refuses a header that takes too many reads: millions of elements or items in a small file."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise _too_many()
        return super().read(size)


def looks_like_dicom(data: bytes) -> bool:
    """True for DICM after a preamble, or for a data set without one: its first group is 0002 or 0008."""
    if data[128:132] == b"DICM" or data[:4] == b"DICM":
        return True
    if len(data) < 16:
        return False
    element = int.from_bytes(data[2:4], "little")
    if data[:2] in {b"\x02\x00", b"\x08\x00"} and element <= 0x0100:
        length = int.from_bytes(data[4:8], "little")
        return (data[4:6].isalpha() and data[4:6].isupper()) or length < min(len(data), 0x10000)
    return data[:2] == b"\x00\x08" and data[4:6].isalpha() and data[4:6].isupper()


def read_part10(data: bytes, tags: frozenset[int], limits: Limits) -> Part10:
    """Read the elements `tags` of `data`; raises DamagedFilm, TruncatedFilm, FilmTooLarge or UnsupportedEncoding."""
    start = 132 if data[128:132] == b"DICM" else 4 if data[:4] == b"DICM" else 0
    meta, at = _read_meta(data, start)
    syntax = meta.get(0x0010, "")
    body = data[at:]
    if not body:
        raise TruncatedFilm("The DICOM file ends after its meta information. Send the whole file again.")
    if syntax == DeflatedExplicitVRLittleEndian:
        body = _inflate(body, limits)
    # Where no syntax is named: big endian begins with group 0008 as 00 08; read_dataset tells implicit from explicit.
    little = body[:2] != b"\x00\x08" if not syntax else syntax != ExplicitVRBigEndian
    if body.count(_ITEM[little]) > MAX_ITEMS:
        raise _too_many()
    implicit = syntax == ImplicitVRLittleEndian or (not syntax and not body[4:6].isalpha())
    if not syntax:
        native = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        syntax = str(ImplicitVRLittleEndian if implicit else native)
    try:
        dataset = read_dataset(_CountedReader(body), implicit, little, specific_tags=sorted(tags))
    except BadFilm:
        raise
    except EOFError:
        raise TruncatedFilm("The DICOM file ends before its last element does. Send the whole file again.") from None
    # pydicom raises whatever parsing damaged bytes meets: struct.error, KeyError, NotImplementedError, RecursionError.
    except Exception:
        raise DamagedFilm("The DICOM header can't be read. Export or send the film again.") from None
    return Part10(dataset, syntax, meta.get(0x0003, ""), meta.get(0x0002, ""), little)


def _read_meta(data: bytes, start: int) -> tuple[dict[int, str], int]:
    """The UIDs of group 0002 (always explicit VR little endian), and where the data set begins.

    The group length element is not trusted: writers get it wrong.
    """
    found: dict[int, str] = {}
    at = start
    for _ in range(MAX_META_ELEMENTS):
        if data[at : at + 2] != b"\x02\x00":
            break
        vr = data[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            # Meta information in implicit VR: against the standard, but written by some.
            length, value = int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
        elif vr in _LONG_VRS:
            length, value = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        else:
            length, value = int.from_bytes(data[at + 6 : at + 8], "little"), at + 8
        if value + length > len(data):
            raise TruncatedFilm("The DICOM file ends within its meta information. Send the whole file again.")
        text = data[value : value + length].decode("ascii", "replace").strip("\0 ")
        if _UID.fullmatch(text):
            found[int.from_bytes(data[at + 2 : at + 4], "little")] = text
        at = value + length
    return found, at


def _inflate(body: bytes, limits: Limits) -> bytes:
    """Undo the deflated transfer syntax (PS3.5 A.5, raw deflate), at most `limits.max_inflated_bytes`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(body, limits.max_inflated_bytes)
    except zlib.error:
        raise DamagedFilm("The deflated DICOM data can't be inflated. Send the film again.") from None
    if inflater.unconsumed_tail:
        raise FilmTooLarge(
            f"The deflated DICOM file grows to more than {limits.max_inflated_bytes >> 20} MB. Send it uncompressed."
        )
    if not inflater.eof:
        raise TruncatedFilm("The deflated DICOM data end early. Send the whole file again.")
    return inflated


def check_syntax_is_known(syntax: str, readable: frozenset[str]) -> None:
    """Raise UnsupportedEncoding where `syntax` is not in `readable`."""
    if syntax not in readable:
        raise UnsupportedEncoding(
            "The DICOM file's compression (transfer syntax) is not read here. Send the film uncompressed, "
            "or as JPEG, JPEG-LS, JPEG 2000 or RLE."
        )
