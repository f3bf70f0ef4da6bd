"""Keeps GDCM out of this process; imported before anything imports pydicom.

`import pydicom` imports GDCM wherever it is installed, and GDCM loads itself with global symbols: its own old zlib then
takes the place of Pillow's, and writing a large PNG corrupts the heap (seen with python-gdcm 3.2.6, Pillow 13.0.0).
GDCM also aborts on damaged streams. So it runs in a process of its own (`hilum.imaging.dicom.isolated`).
"""

from __future__ import annotations

import sys

# None makes `import gdcm` raise ModuleNotFoundError, which pydicom takes as "not installed".
sys.modules.setdefault("gdcm", None)  # type: ignore[arg-type]
