"""`python -m services.promoter.inspect FOLDER KEYS`: is this folder a release that may be promoted?

Hashes, signature by a trusted key, and for every precision: label order, input, output width, and numbers for answers.
A process of its own, because what it opens was made elsewhere. Status 0 with a line of JSON; 3 with what is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from hilum.release import BadRelease, Release, check_session, read_release
from hilum.release.bundle import INPUT
from hilum.release.signing import BadSignature, read_trusted

REFUSED = 3


def check(folder: Path, keys: Path) -> Release:
    """The verified release; raises BadRelease."""
    import onnxruntime as ort  # noqa: PLC0415 - this process alone opens models

    try:
        release = read_release(folder, read_trusted(keys))
    except BadSignature as error:
        raise BadRelease(str(error)) from error
    spec = release.manifest.input
    ramp = np.linspace(0, 1, spec.height * spec.width, dtype=np.float32).reshape(1, 1, spec.height, spec.width)
    for variant in release.manifest.variants:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = ort.InferenceSession(release.read(variant.file), options, providers=["CPUExecutionProvider"])
            check_session(session, release.manifest)
            logits = np.asarray(session.run(["logits"], {INPUT: ramp})[0])
        except BadRelease:
            raise
        except Exception as error:  # ONNX Runtime raises classes of its own, which it does not export
            raise BadRelease(f"{variant.file} can't be run: {str(error)[:200]}") from error
        if not np.isfinite(logits).all():
            raise BadRelease(f"{variant.file} answers with what is no number")
    return release


def main() -> int:
    """Judge one folder."""
    try:
        release = check(Path(sys.argv[1]), Path(sys.argv[2]))
    except BadRelease as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    manifest = release.manifest
    told = {"digest": release.digest, "version": manifest.version, "precision": manifest.default_precision}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
