"""A film's stored values for a viewer that windows them itself, and the form in which they travel.

The form, all numbers little endian: `HLMF`, length of the head (uint32), the head (JSON in UTF-8, filled with spaces to
a multiple of four bytes), the display table (one byte for each value from `lowest` on), then the values row by row as
uint8 or uint16 above `lowest`. The table shows what `decode` shows in 8 bits: the first picture and this one agree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging.film import Pixels
from hilum.imaging.spacing import Spacing
from hilum.imaging.voi import Display, Values, Window, modality_values, windowed

MAGIC = b"HLMF"
Stored = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Frame:
    """`values` (H, W) are stored values less `lowest`; `table` (N,) is the display value of each in 8 bits.

    `window` is the one that the table applies, or for a lookup table the nearest to it, in values after the modality
    transform (`slope`, `intercept`, or `modality` (N,) where that is a table). `windows` are the header's, by name.
    `orientation` says where rows and columns run to. None stands for what the header does not say.
    """

    values: Stored
    lowest: int
    bits: int
    table: npt.NDArray[np.uint8]
    window: Window
    slope: float = 1.0
    intercept: float = 0.0
    modality: Values | None = None
    inverted: bool = False
    padding: tuple[int, int] | None = None
    windows: tuple[tuple[str, Window], ...] = ()
    spacing: Spacing | None = None
    orientation: tuple[str, str] | None = None
    lossy: bool = False

    def to_bytes(self) -> bytes:
        """The frame as it travels."""
        head = json.dumps(self._head(), separators=(",", ":"), allow_nan=False).encode()
        head += b" " * (-len(head) % 4)
        kind = "<u1" if self.values.dtype == np.uint8 else "<u2"
        return b"".join(
            (
                MAGIC,
                len(head).to_bytes(4, "little"),
                head,
                self.table.tobytes(),
                np.ascontiguousarray(self.values, dtype=kind).tobytes(),
            )
        )

    def _head(self) -> dict[str, Any]:
        height, width = self.values.shape
        return {
            "version": 1,
            "width": width,
            "height": height,
            "bits": self.bits,
            "bytes_per_value": self.values.dtype.itemsize,
            "lowest": self.lowest,
            "table_length": len(self.table),
            "slope": self.slope,
            "intercept": self.intercept,
            "modality": None if self.modality is None else self.modality.tolist(),
            "inverted": self.inverted,
            "padding": self.padding,
            "window": asdict(self.window),
            "windows": [{"name": name, **asdict(window)} for name, window in self.windows],
            "spacing": None if self.spacing is None else asdict(self.spacing),
            "orientation": self.orientation,
            "lossy": self.lossy,
        }


def frame_of(
    index: npt.NDArray[np.integer[Any]],
    *,
    lowest: int,
    bits: int,
    display: Display,
    table: Pixels,
    lossy: bool,
    windows: tuple[tuple[str, Window], ...] = (),
    spacing: Spacing | None = None,
    orientation: tuple[str, str] | None = None,
) -> Frame:
    """The frame of a film whose values above `lowest` are `index` (H, W) and are shown through `table` (0..1)."""
    values: Stored = index.astype(np.uint8) if bits <= 8 else index.astype(np.uint16)
    return Frame(
        values=values,
        lowest=lowest,
        bits=bits,
        table=np.rint(table * np.float32(255)).astype(np.uint8),
        window=_window_of(display, lowest, table),
        slope=display.slope,
        intercept=display.intercept,
        modality=None if display.modality_lut is None else modality_values(display, lowest, len(table)),
        inverted=display.inverted,
        padding=display.padding,
        windows=windows,
        spacing=spacing,
        orientation=orientation,
        lossy=lossy,
    )


def _window_of(display: Display, lowest: int, table: Pixels) -> Window:
    """The header's window where the table shows it, else the linear window between the table's black and its white."""
    values = modality_values(display, lowest, len(table))
    shown = 1.0 - table if display.inverted else table
    kept = np.ones(len(table), dtype=np.bool_)
    if display.padding is not None:
        stored = np.arange(lowest, lowest + len(table))
        kept = (stored < display.padding[0]) | (stored > display.padding[1])
    window = display.window
    if (
        display.voi_lut is None
        and window is not None
        and np.allclose(windowed(values[kept], window), shown[kept], atol=1e-4)
    ):
        return window
    grey = kept & (shown > 0.0) & (shown < 1.0)
    at = np.flatnonzero(grey)[np.argsort(values[grey], kind="stable")[[0, -1]]] if grey.sum() > 1 else np.array([0, -1])
    low, high = (float(value) for value in values[at])
    first, last = (float(value) for value in shown[at])
    if last > first:
        # The line through both, drawn on to black and to white: exact where the table is linear.
        step = (high - low) / (last - first)
        low, high = low - first * step, high + (1.0 - last) * step
    return Window(round((low + high) / 2, 3), round(max(high - low, 1.0), 3), "LINEAR_EXACT")
