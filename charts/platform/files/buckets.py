"""Make the buckets that are named, where they are not there yet."""

import os
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"] or None, region_name="us-east-1")
for bucket in sys.argv[1:]:
    for attempt in range(60):
        try:
            s3.create_bucket(Bucket=bucket)
            print("made", bucket)
            break
        except ClientError as error:
            if error.response["Error"]["Code"] in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                print("there", bucket)
                break
            sys.exit(f"{bucket}: {error}")
        except BotoCoreError as error:
            print("waiting for the store:", type(error).__name__)
            time.sleep(2)
    else:
        sys.exit(f"the store at {os.environ['S3_ENDPOINT']} does not answer")
