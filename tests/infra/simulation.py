"""An AWS that is only simulated: moto's server on loopback. It keeps state and answers calls; it checks no rights."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's own


_init_rule = SecurityGroupRule.__init__
_prepare_interfaces = Instance.prep_nics
_terminate = Instance.terminate


def _rule_with_description(rule: Any, *values: Any, **named: Any) -> None:
    """moto 5.2 forgets the description of a rule that names a group or a prefix list; AWS doesn't."""
    _init_rule(rule, *values, **named)
    for remote in (*values[6:8], named.get("source_group"), named.get("prefix_list_id")):
        if remote and remote.get("Description"):
            rule.ip_range["Description"] = remote["Description"]


def _instance_with_groups(instance: Any, *values: Any, **named: Any) -> None:
    """moto 5.2 doesn't show an instance the groups that came with its network interface; AWS does."""
    _prepare_interfaces(instance, *values, **named)
    if not instance.security_groups and instance.nics:
        instance.security_groups = list(instance.nics[0].group_set)


def _terminate_and_release(instance: Any) -> Any:
    """moto 5.2 never frees a terminated instance's fixed address and refuses its successor; AWS frees it."""
    previous = _terminate(instance)
    subnet = instance.ec2_backend.get_subnet(instance.subnet_id)
    for address in instance._private_ips:
        subnet.del_subnet_ip(address)
    return previous


@contextmanager
def simulated_aws() -> Iterator[str]:
    """Run moto's server on a free loopback port; yields its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    mended = (
        mock.patch.object(SecurityGroupRule, "__init__", _rule_with_description),
        mock.patch.object(Instance, "prep_nics", _instance_with_groups),
        mock.patch.object(Instance, "terminate", _terminate_and_release),
    )
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with mended[0], mended[1], mended[2]:
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def client(url: str, service: str) -> Any:
    """A boto3 client of the simulation."""
    return boto3.client(service, endpoint_url=url, region_name=REGION)


def an_image(url: str) -> str:
    """Id of an image that moto knows: it has none of Debian's."""
    images = client(url, "ec2").describe_images()["Images"]
    return str(next(image["ImageId"] for image in images if image["Architecture"] == "x86_64"))


def live_instances(url: str) -> list[str]:
    """Names of the instances that aren't terminated."""
    answer = client(url, "ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    )
    return sorted(
        next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")
        for reservation in answer["Reservations"]
        for instance in reservation["Instances"]
    )


def volumes(url: str) -> dict[str, str]:
    """Data volumes: name to id."""
    answer = client(url, "ec2").describe_volumes(Filters=[{"Name": "tag-key", "Values": ["node"]}])
    return {
        next(tag["Value"] for tag in volume["Tags"] if tag["Key"] == "Name"): volume["VolumeId"]
        for volume in answer["Volumes"]
    }


def store_object(bucket: str, key: str, value: bytes) -> None:
    """Put an object past the API: moto applies the bucket's TLS-only policy, and the simulation has no TLS."""
    s3_backends[ACCOUNT]["aws"].put_object(bucket, key, value)


def stored_objects(bucket: str) -> dict[str, bytes]:
    """What the bucket holds, past the API."""
    return {key: item.value for key, item in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys.items()}
