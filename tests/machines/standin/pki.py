"""Certificates by openssl's command, from the cluster's own authority."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from files import TLS


def openssl(*arguments: str | Path) -> None:
    """Run openssl; its words when it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


def authority(name: str) -> None:
    """Make an authority, once."""
    TLS.mkdir(parents=True, exist_ok=True)
    TLS.chmod(0o700)
    key, certificate = TLS / f"{name}.key", TLS / f"{name}.crt"
    if not certificate.exists():
        openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            f"/CN={name}",
            "-keyout",
            key,
            "-out",
            certificate,
        )


def certify(folder: Path, name: str, subject: str, names: str = "", signer: str = "server-ca") -> None:
    """Make FOLDER/NAME.key and .crt, anew at each start: names and addresses may have changed."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request, certificate, extra = (folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext"))
    openssl(
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        subject,
        "-keyout",
        key,
        "-out",
        request,
    )
    usage = "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n"
    extra.write_text(usage + (f"subjectAltName={names}\n" if names else ""), encoding="utf-8")
    openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        TLS / f"{signer}.crt",
        "-CAkey",
        TLS / f"{signer}.key",
        "-set_serial",
        "0x" + __import__("secrets").token_hex(16),
        "-days",
        "365",
        "-extfile",
        extra,
        "-out",
        certificate,
    )
    request.unlink()
    extra.unlink()


def kubeconfig(path: Path, address: str, authority_text: bytes, certificate: bytes, key: bytes) -> None:
    """Write a kubeconfig that root alone reads."""
    coded = {
        name: base64.b64encode(text).decode()
        for name, text in (("ca", authority_text), ("crt", certificate), ("key", key))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "default",
        "clusters": [{"name": "default", "cluster": {"server": address, "certificate-authority-data": coded["ca"]}}],
        "users": [
            {"name": "default", "user": {"client-certificate-data": coded["crt"], "client-key-data": coded["key"]}}
        ],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
    }
    path.write_text(json.dumps(tree), encoding="utf-8")
