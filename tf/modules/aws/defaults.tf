# What an empty variable means on AWS, and what the module finds out about the account.

locals {
  defaults = {
    server_flavour    = "m6i.large"
    agent_flavour     = "m6i.xlarge"
    gpu_agent_flavour = "g4dn.xlarge"
    bastion_flavour   = "t3.micro"
    volume_type       = "gp3"
    ssh_user          = "admin"
  }
  image       = var.image != "" ? var.image : data.aws_ami.debian[0].id
  volume_type = coalesce(var.volume_type, local.defaults.volume_type)
  zones       = length(var.zones) > 0 ? var.zones : slice(data.aws_availability_zones.usable.names, 0, min(3, length(data.aws_availability_zones.usable.names)))
  zone_count  = length(local.zones)
  account_id  = data.aws_caller_identity.this.account_id
  region      = data.aws_region.this.name
  partition   = data.aws_partition.this.partition
}

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

data "aws_partition" "this" {}

data "aws_availability_zones" "usable" {
  #checkov:skip=CKV_AWS_394:the first three names alone are taken and only where zones is empty, which production shouldn't leave so
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ami" "debian" {
  count       = var.image == "" ? 1 : 0
  most_recent = true
  owners      = ["136693071363"] # Debian's own account
  filter {
    name   = "name"
    values = ["debian-13-amd64-*"]
  }
}

data "aws_ec2_instance_type_offerings" "offered" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = distinct([for node in local.nodes : node.flavour])
  }
}
