"""Put the dumps of /dump into the bucket under the time of their making, read them back, and let the oldest go."""

import hashlib
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

import boto3

url = urlsplit(os.environ["BACKUP_URL"])
bucket, prefix = url.netloc, url.path.strip("/")
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"] or None, region_name="us-east-1")
stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
for dump in sorted(Path("/dump").glob("*.sql.gz")):
    key = f"{prefix}/{dump.name.removesuffix('.sql.gz')}/{stamp}.sql.gz"
    data = dump.read_bytes()
    s3.put_object(Bucket=bucket, Key=key, Body=data)
    back = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if hashlib.sha256(back).digest() != hashlib.sha256(data).digest():
        sys.exit(f"{key} came back other than it was sent")
    print("kept", key, len(data), "bytes")
    folder = key.rsplit("/", 1)[0] + "/"
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    there = sorted(item["Key"] for page in listed for item in page.get("Contents", []))
    for old in there[: -int(os.environ["KEEP"])]:
        s3.delete_object(Bucket=bucket, Key=old)
        print("let go", old)
