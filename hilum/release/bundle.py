"""Read, verify and write a release: a folder that never changes once it is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from hilum.release.manifest import InputSpec, Manifest, Variant
from hilum.release.signing import SIGNATURE_FILE, BadSignature, check, sign

if TYPE_CHECKING:
    import onnxruntime as ort

MANIFEST_FILE = "manifest.json"
# Outputs of every model: scores per finding, their class activation maps, and the pooled features of the film.
OUTPUTS = ("logits", "activation", "embedding")
INPUT = "film"


class BadRelease(ValueError):
    """The folder is not a release that may be served; the text says what to mend."""


@dataclass(frozen=True)
class Release:
    """A verified release on disk. `signed_by` is the trusted public key, None where no signature was asked for."""

    folder: Path
    manifest: Manifest
    digest: str
    signed_by: str | None

    @property
    def findings(self) -> tuple[str, ...]:
        """The ordered findings."""
        return self.manifest.findings

    def path(self, variant: Variant) -> Path:
        """The ONNX file of `variant`."""
        return self.folder / variant.file

    def read(self, name: str) -> bytes:
        """The bytes of the release's file `name`, verified as they are read; raises BadRelease.

        What is parsed or run comes from here, so that a file changed after `read_release` is never served.
        """
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise BadRelease(f"{name} can't be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.manifest.files[name]:
            raise BadRelease(f"{name} has another sha256 than the manifest says: damaged or changed")
        return data


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Parse `folder/manifest.json`; raises BadRelease."""
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise BadRelease(f"no {MANIFEST_FILE} in {folder.name}: not a release") from None
    except OSError as error:
        raise BadRelease(f"{MANIFEST_FILE} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise BadRelease(f"{MANIFEST_FILE}: {where}: {first['msg']}") from error


def _metadata(session: ort.InferenceSession, manifest: Manifest) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        named = tuple(json.loads(metadata["findings"]))
    except (KeyError, TypeError, ValueError):
        raise BadRelease("the ONNX file carries no findings in its metadata") from None
    if named != manifest.findings:
        raise BadRelease("the ONNX file's findings differ from the manifest's, or their order")
    try:
        spec = InputSpec.model_validate_json(metadata["input"])
    except (KeyError, ValidationError):
        raise BadRelease("the ONNX file carries no input geometry in its metadata") from None
    if spec != manifest.input:
        raise BadRelease("the ONNX file's input geometry or normalisation differs from the manifest's")


def check_session(session: ort.InferenceSession, manifest: Manifest) -> None:
    """Refuse a model whose metadata, input or output width disagree with the manifest; raises BadRelease."""
    _metadata(session, manifest)
    inputs = {i.name: i for i in session.get_inputs()}
    expected = [1, manifest.input.height, manifest.input.width]
    if list(inputs) != [INPUT] or list(inputs[INPUT].shape[1:]) != expected:
        shapes = {name: entry.shape for name, entry in inputs.items()}
        raise BadRelease(f"the ONNX file's input is {shapes}, not {INPUT} of (batch, {expected})")
    if inputs[INPUT].type != "tensor(float)":
        raise BadRelease(f"the ONNX file takes {inputs[INPUT].type}, not tensor(float)")
    outputs = {o.name: o.shape for o in session.get_outputs()}
    if missing := [name for name in OUTPUTS if name not in outputs]:
        raise BadRelease(f"the ONNX file lacks the output {', '.join(missing)}")
    for name, rank in zip(OUTPUTS, (2, 4, 2), strict=True):
        if len(outputs[name]) != rank:
            raise BadRelease(f"the ONNX file's output '{name}' has {len(outputs[name])} dimensions, not {rank}")
    for name in ("logits", "activation"):
        if outputs[name][1] != len(manifest.findings):
            raise BadRelease(
                f"the ONNX file gives {outputs[name][1]} values in '{name}', the manifest has "
                f"{len(manifest.findings)} findings"
            )


def read_release(folder: Path, trusted: frozenset[str] | None = None) -> Release:
    """Read `folder` and verify every file's hash, and the signature where `trusted` keys are given.

    The ONNX files' own agreement with the manifest is checked by `check_session` when one is opened.
    Raises BadRelease; BadSignature is one of its causes and is raised as BadRelease with the same text.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if Path(name).name != name:
            raise BadRelease(f"files: '{name}' is not a plain file name")
        if not path.is_file():
            raise BadRelease(f"{name} is missing from the release")
        if _sha256(path) != expected:
            raise BadRelease(f"{name} has another sha256 than the manifest says: damaged or changed")
    signed_by = None
    if trusted is not None:
        try:
            text = (folder / SIGNATURE_FILE).read_text(encoding="utf-8")
            signed_by = check(manifest.canonical(), text, trusted)
        except FileNotFoundError:
            raise BadRelease("the release has no signature, and this site asks for one") from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadRelease(f"{SIGNATURE_FILE} can't be read") from error
        except BadSignature as error:
            raise BadRelease(str(error)) from error
    return Release(folder, manifest, manifest.digest(), signed_by)


def write_release(folder: Path, draft: dict[str, object], key: Ed25519PrivateKey) -> Release:
    """Complete a release whose files (all but manifest and signature) lie in `folder`, sign it, and read it back.

    `draft` is the manifest without `files`. Raises BadRelease where the folder already holds a manifest.
    """
    if (folder / MANIFEST_FILE).exists():
        raise BadRelease(f"{folder.name} already holds a release; a release never changes")
    if nested := [path.name for path in sorted(folder.iterdir()) if not path.is_file()]:
        raise BadRelease(f"a release is a flat folder, and {folder.name} holds {', '.join(nested)}")
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != SIGNATURE_FILE}
    try:
        manifest = Manifest.model_validate({**draft, "files": files})
    except ValidationError as error:
        raise BadRelease(str(error)) from error
    (folder / SIGNATURE_FILE).write_text(sign(manifest.canonical(), key), encoding="utf-8")
    pretty = json.dumps(manifest.document(), sort_keys=True, indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(pretty + "\n", encoding="utf-8")
    return read_release(folder)
