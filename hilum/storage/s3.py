"""Blobs in a bucket of any S3 service. No correctness rests on conditional puts: not every service has them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

import boto3
import urllib3.exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hilum.storage.blobs import BlobMissing, BlobsUnavailable, valid_key, valid_prefix

CONNECT_SECONDS = 2
READ_SECONDS = 15
ATTEMPTS = 3
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})


def _client(endpoint: str) -> Any:
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # A host name per bucket needs DNS that services inside a network rarely have.
        s3={"addressing_style": "path" if endpoint else "auto"},
        signature_version="s3v4",
        # The newer checksum trailers are unknown to some services; Content-MD5 is known to all.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=32,
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    # A session of its own: boto3's shared one is not made safely by threads, and keeps the first keys it saw.
    return boto3.session.Session().client("s3", endpoint_url=endpoint or None, region_name=region, config=config)


class S3Blobs:
    """Blobs in `bucket` below `prefix`; keys of access come from the `AWS_*` variables or the pod's own role."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str = "") -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.endpoint = endpoint
        with self._plain("open"):
            self._s3 = _client(endpoint)

    def put(self, key: str, data: bytes) -> None:
        """Keep `data`; the service verifies it against its MD5 and answers once it is durable by its own rules."""
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        with self._plain("keep"):
            self._s3.put_object(Bucket=self.bucket, Key=self._key(key), Body=data, ContentMD5=digest)

    def get(self, key: str) -> bytes:
        """The whole blob."""
        with self._plain("read"):
            try:
                answer = self._s3.get_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if _code(error) in _MISSING:
                    raise BlobMissing(key) from error
                raise
            data: bytes = answer["Body"].read()
        if len(data) != answer["ContentLength"]:
            raise BlobsUnavailable(f"{self._where()}: a blob came back incomplete")
        return data

    def exists(self, key: str) -> bool:
        """Whether the blob is there."""
        with self._plain("look up"):
            try:
                self._s3.head_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                # A HEAD answers 404 for a missing bucket too, without saying which.
                self.check()
                return False
        return True

    def delete(self, key: str) -> None:
        """Remove the blob."""
        with self._plain("delete"):
            self._s3.delete_object(Bucket=self.bucket, Key=self._key(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys in the order of the service (not all sort as AWS does), a thousand per request."""
        full = self.prefix + valid_prefix(prefix)
        with self._plain("list"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=full):
                for item in page.get("Contents", []):
                    yield item["Key"].removeprefix(self.prefix)

    def check(self) -> None:
        """Ask for the bucket."""
        with self._plain("reach"):
            self._s3.head_bucket(Bucket=self.bucket)

    def _key(self, key: str) -> str:
        return self.prefix + valid_key(key)

    def _where(self) -> str:
        return f"bucket {self.bucket} at {self.endpoint or 'AWS'}"

    @contextlib.contextmanager
    def _plain(self, action: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = _code(error)
            missing = code == "NoSuchBucket" or code in _MISSING
            reason = "the bucket doesn't exist" if missing else f"the service refuses: {code}"
            raise BlobsUnavailable(f"{self._where()}: can't {action}: {reason}") from error
        except (BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
            raise BlobsUnavailable(f"{self._where()}: can't {action}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What an engineer can mend is said in words: why a certificate is refused stands deep within the error's text."""
    refused = re.search(r"certificate verify failed: ([^(\]]+)", str(error))
    return f"its certificate is refused: {refused.group(1).strip()}" if refused else type(error).__name__


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
