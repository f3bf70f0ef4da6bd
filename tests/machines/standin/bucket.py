"""Snapshots in a bucket: two calls of S3, signed as AWS says (Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.error
import urllib.request
from typing import Any

from settings import Refused


def _signed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def call(settings: dict[str, Any], method: str, name: str, body: bytes = b"") -> bytes:
    """PUT or GET one object below the folder of the settings; Refused with the service's words."""
    host = settings.get("etcd-s3-endpoint", "s3.amazonaws.com")
    region = settings.get("etcd-s3-region") or "us-east-1"
    path = f"/{settings['etcd-s3-bucket']}/{settings['etcd-s3-folder']}/{name}"
    now, digest = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), hashlib.sha256(body).hexdigest()
    heads = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(heads)
    lines = "".join(f"{key}:{value}\n" for key, value in heads.items())
    asked = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = f"AWS4{settings['etcd-s3-secret-key']}".encode()
    for part in scope.split("/"):
        key = _signed(key, part)
    heads["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={settings['etcd-s3-access-key']}/{scope}, SignedHeaders={names}, "
        f"Signature={_signed(key, text).hex()}"
    )
    address = f"{'http' if settings.get('etcd-s3-insecure') else 'https'}://{host}{path}"
    request = urllib.request.Request(address, body or None, heads, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            found: bytes = reply.read()
    except (urllib.error.URLError, OSError) as reason:
        words = reason.read().decode()[:300] if isinstance(reason, urllib.error.HTTPError) else str(reason)
        raise Refused(f"the bucket {settings['etcd-s3-bucket']} at {host}: {words}") from reason
    return found
