"""Copy what is new in each bucket to its copy: FROM=TO ... Nothing is ever deleted or overwritten in the copy.

Objects of Hilum never change once they are there, so a key that the copy has with the same size is not read again. Each
copied object is read back. What was deleted by mistake, or by somebody who holds the first store's keys, stays in the copy.
"""

import hashlib
import os
import sys
from urllib.parse import urlsplit

import boto3


def client(prefix):
    """The store whose address and keys have this prefix in the environment."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ[f"{prefix}_ENDPOINT"] or None,
        region_name="us-east-1",
        aws_access_key_id=os.environ[f"{prefix}_KEY"],
        aws_secret_access_key=os.environ[f"{prefix}_SECRET"],
    )


def sizes(s3, bucket, prefix):
    """Every key below the prefix, with its size."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"][len(prefix) :]: item["Size"] for page in pages for item in page.get("Contents", [])}


def place(url):
    """Bucket and prefix of s3://bucket/prefix."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    return parts.netloc, f"{path}/" if path else ""


def main():
    """Copy every pair; status 1 where one object came back other than it was sent."""
    source, target = client("FROM"), client("TO")
    for pair in sys.argv[1:]:
        (bucket, prefix), (copy, below) = (place(url) for url in pair.split("="))
        there, kept, copied, changed = sizes(source, bucket, prefix), sizes(target, copy, below), 0, 0
        for key, size in sorted(there.items()):
            if kept.get(key) == size:
                continue
            if key in kept and not key.endswith((".csv", ".jsonl")):
                changed += 1
                print("NOT copied, the copy has another object of this name:", f"{copy}/{below}{key}")
                continue
            data = source.get_object(Bucket=bucket, Key=prefix + key)["Body"].read()
            target.put_object(Bucket=copy, Key=below + key, Body=data)
            back = target.get_object(Bucket=copy, Key=below + key)["Body"].read()
            if hashlib.sha256(back).digest() != hashlib.sha256(data).digest():
                sys.exit(f"{copy}/{below}{key} came back other than it was sent")
            copied += 1
        print(f"{bucket}/{prefix} -> {copy}/{below}: {copied} copied, {len(there)} there, {changed} contradict the copy")
        if changed:
            sys.exit(1)


main()
