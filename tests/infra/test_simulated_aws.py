"""The AWS example from apply to destroy against moto's server, which is a simulation.

It proves that Terraform's own part holds together (order, ids, a second plan that is empty, what survives), not that
AWS would let the same calls through or that a packet flows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.infra.command import Terraform
from tests.infra.simulation import (
    REGION,
    an_image,
    client,
    live_instances,
    simulated_aws,
    store_object,
    stored_objects,
    volumes,
)

pytestmark = pytest.mark.infra

STATE = {"Bucket": "state", "Key": "hilum/simulated.tfstate"}
NODES = ["hilum-agent-1", "hilum-agent-2", "hilum-gpu-agent-1", "hilum-server-1", "hilum-server-2", "hilum-server-3"]
# What docs/infrastructure.md lets go of before a destroy.
HOLDS_DATA = r"\.(aws_ebs_volume|aws_kms_key|aws_s3_bucket(_\w+)?)\.data"
# A public key of nobody: 32 zero bytes.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + " nobody"


@dataclass(frozen=True)
class Simulated:
    """The example applied to a simulated AWS."""

    url: str
    terraform: Terraform


@pytest.fixture(scope="module")
def simulated(terraform: str, environment: dict[str, str], workspace: Path) -> Iterator[Simulated]:
    """One apply for all tests of this file. State is in the simulation's own bucket, with its lock."""
    with simulated_aws() as url:
        client(url, "s3").create_bucket(
            Bucket=STATE["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        keys = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_ENDPOINT_URL": url}
        # The simulation answers at once; the time goes into the waits between looks, so let them be side by side.
        faster = {f"TF_CLI_ARGS_{command}": "-parallelism=40" for command in ("apply", "destroy")}
        values = {
            "region": REGION,
            "zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
            "image": an_image(url),
            "ssh_public_key": PUBLIC_KEY,
            "admin_cidrs": ["203.0.113.0/28"],
            "web_cidrs": ["198.51.100.0/24"],
            "dicom_cidrs": ["198.51.100.32/28"],
        }
        folder = workspace / "environments/aws-example"
        (folder / "terraform.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
        backend = {
            "bucket": STATE["Bucket"],
            "key": STATE["Key"],
            "region": REGION,
            "use_lockfile": "true",
            "use_path_style": "true",
        }
        example = Terraform(terraform, folder, environment | keys | faster)
        example.do("init", *(f"-backend-config={key}={value}" for key, value in backend.items()))
        example.do("apply", "-auto-approve", "-no-color")
        yield Simulated(url, example)


def outputs(terraform: Terraform) -> dict[str, Any]:
    """Terraform's outputs by name."""
    return {name: output["value"] for name, output in json.loads(terraform.do("output", "-json")).items()}


def test_a_second_plan_changes_nothing(simulated: Simulated) -> None:
    answer = simulated.terraform.ask("plan", "-detailed-exitcode", "-no-color")
    assert answer.status == 0, answer.text


def test_the_inventory_names_every_node_with_its_disk_and_no_secret(simulated: Simulated) -> None:
    text = simulated.terraform.do("output", "-raw", "inventory")
    inventory = yaml.safe_load(text)["all"]
    groups = {name: sorted(group["hosts"] or {}) for name, group in inventory["children"].items() if "hosts" in group}
    assert groups == {"servers": NODES[3:], "agents": NODES[:2], "gpu_agents": NODES[2:3]}
    hosts = {
        name: host
        for group in ("servers", "agents", "gpu_agents")
        for name, host in inventory["children"][group]["hosts"].items()
    }
    disks = {f"{name}-data": host["data_device"].rsplit("_", 1)[1] for name, host in hosts.items()}
    assert disks == {name: volume.replace("-", "") for name, volume in volumes(simulated.url).items()}
    assert inventory["vars"]["ansible_user"] == "admin"
    assert outputs(simulated.terraform)["bastion_address"] in inventory["vars"]["ansible_ssh_common_args"]
    for keys in outputs(simulated.terraform)["bucket_credentials"].values():
        assert keys["secret_access_key"]
        assert keys["secret_access_key"] not in text


def test_the_state_is_in_the_bucket_and_a_second_writer_is_kept_out(simulated: Simulated) -> None:
    s3 = client(simulated.url, "s3")
    state = json.loads(s3.get_object(**STATE)["Body"].read())
    assert len([item for item in state["resources"] if item["mode"] == "managed"]) > 30
    lock = {"Bucket": STATE["Bucket"], "Key": STATE["Key"] + ".tflock"}
    held = {
        "ID": "1",
        "Operation": "OperationTypeApply",
        "Who": "a-colleague",
        "Version": "1.11.4",
        "Created": "2026-01-01T00:00:00Z",
    }
    s3.put_object(**lock, Body=json.dumps(held).encode())
    try:
        answer = simulated.terraform.ask("plan", "-no-color", "-lock-timeout=0s")
        assert answer.status == 1
        assert "Error acquiring the state lock" in answer.text
        assert "a-colleague" in answer.text
    finally:
        s3.delete_object(**lock)


def test_everything_that_takes_tags_is_tagged(simulated: Simulated) -> None:
    state = json.loads(client(simulated.url, "s3").get_object(**STATE)["Body"].read())
    tagged = 0
    for resource in state["resources"]:
        for instance in resource["instances"]:
            attributes = instance["attributes"]
            if resource["mode"] == "managed" and "tags_all" in attributes:
                tags = attributes["tags_all"] or {}
                assert {"project", "cluster", "managed-by", "owner"} <= set(tags), (
                    f"{resource['type']}.{resource['name']}"
                )
                tagged += 1
    assert tagged > 60


def test_the_bucket_is_versioned_encrypted_private_and_tls_only(simulated: Simulated) -> None:
    s3 = client(simulated.url, "s3")
    bucket = outputs(simulated.terraform)["bucket"]["name"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    denied = [
        statement
        for statement in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        if statement["Effect"] == "Deny"
    ]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in denied]


def test_keys_reach_their_own_prefix_of_one_bucket_from_this_network_alone(simulated: Simulated) -> None:
    iam = client(simulated.url, "iam")
    bucket = outputs(simulated.terraform)["bucket"]["name"]
    for purpose in ("films", "backups"):
        policy = iam.get_user_policy(UserName=f"hilum-{purpose}", PolicyName="bucket-prefix")["PolicyDocument"]
        for statement in policy["Statement"]:
            assert "*" not in statement["Action"]
            assert statement["Effect"] == "Allow"
            if any(action.startswith("s3:") for action in statement["Action"]):
                assert statement["Resource"] in (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{purpose}/*")
                assert statement["Condition"]["StringEquals"]["aws:SourceVpce"].startswith("vpce-")


def test_a_film_sent_without_tls_is_refused(simulated: Simulated) -> None:
    bucket = outputs(simulated.terraform)["bucket"]["name"]
    with pytest.raises(ClientError, match="403"):
        client(simulated.url, "s3").put_object(Bucket=bucket, Key="films/plain", Body=b"a film")


def test_nothing_but_the_allow_lists_comes_in_from_outside(simulated: Simulated) -> None:
    rules = client(simulated.url, "ec2").describe_security_group_rules()["SecurityGroupRules"]
    outside = {(rule["FromPort"], rule["CidrIpv4"]) for rule in rules if not rule["IsEgress"] and rule.get("CidrIpv4")}
    mine = {(22, "203.0.113.0/28"), (80, "198.51.100.0/24"), (443, "198.51.100.0/24"), (11112, "198.51.100.32/28")}
    assert outside == mine


def test_stopping_starting_and_destroying_lose_no_volume_and_no_film(simulated: Simulated) -> None:
    terraform, url = simulated.terraform, simulated.url
    before = volumes(url)
    assert sorted(before) == [f"{name}-data" for name in NODES]
    assert live_instances(url) == sorted([*NODES, "hilum-bastion"])
    bucket = outputs(terraform)["bucket"]["name"]
    store_object(bucket, "films/one", b"a film")

    terraform.do("apply", "-auto-approve", "-no-color", "-var=running=false")
    assert live_instances(url) == []
    assert volumes(url) == before

    terraform.do("apply", "-auto-approve", "-no-color")
    assert live_instances(url) == sorted([*NODES, "hilum-bastion"])
    assert volumes(url) == before

    refused = terraform.ask("destroy", "-auto-approve", "-no-color")
    assert refused.status == 1
    assert "Instance cannot be destroyed" in refused.text
    assert live_instances(url) == sorted([*NODES, "hilum-bastion"])

    # The documented way to take the rest away: let go of what holds data, then destroy.
    keep = [name for name in terraform.do("state", "list").splitlines() if re.search(HOLDS_DATA, name)]
    terraform.do("state", "rm", *keep)
    terraform.do("destroy", "-auto-approve", "-no-color")
    assert live_instances(url) == []
    assert volumes(url) == before
    assert stored_objects(bucket) == {"films/one": b"a film"}
    assert client(url, "s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert client(url, "s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"][
        "BlockPublicPolicy"
    ]
    assert client(url, "ec2").describe_vpcs(Filters=[{"Name": "tag:project", "Values": ["hilum"]}])["Vpcs"] == []
