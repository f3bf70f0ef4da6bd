# Nodes and the bastion: no public address but the bastion's and the floating one, IMDSv2 only, encrypted disks, no AWS rights.

locals {
  addresses = {
    for name, node in local.nodes : name => cidrhost(
      name == local.floating_node ? aws_subnet.public[node.zone_index].cidr_block : aws_subnet.private[node.zone_index].cidr_block,
      node.host_number
    )
  }
  zone_names = { for name, node in local.nodes : name => local.zones[node.zone_index] }

  # Which groups a node carries (security.tf).
  node_groups = {
    for name, node in local.nodes : name => concat(
      ["nodes"],
      node.role == "server" ? ["server"] : [],
      var.bastion ? [] : ["admin"],
      name == local.floating_node || (var.entry == "none" && contains(local.entry_nodes, name)) ? ["entry"] : [],
    )
  }

  bastion_address = var.bastion ? aws_eip.bastion[0].public_ip : ""
}

resource "aws_instance" "node" {
  #checkov:skip=CKV_AWS_126:detailed monitoring costs per node; the cluster's own node exporter measures every 15 seconds
  #checkov:skip=CKV2_AWS_41:a node calls no AWS service, so it has no role; pods use keys that reach one prefix of one bucket
  for_each = local.running_nodes

  ami                    = local.image
  instance_type          = each.value.flavour
  key_name               = aws_key_pair.admin.key_name
  private_ip             = local.addresses[each.key]
  subnet_id              = each.key == local.floating_node ? aws_subnet.public[each.value.zone_index].id : aws_subnet.private[each.value.zone_index].id
  vpc_security_group_ids = [for group in local.node_groups[each.key] : aws_security_group.this[group].id]
  ebs_optimized          = true
  # The names are the cluster's node names: two nodes can't have one name.
  user_data = "#cloud-config\nhostname: ${each.key}\npreserve_hostname: false\n"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # pods are one hop further
  }

  root_block_device {
    volume_type           = "gp3"
    volume_size           = var.root_disk_gb
    encrypted             = true
    kms_key_id            = aws_kms_key.data.arn
    delete_on_termination = true
    tags                  = merge(local.tags, { Name = "${each.key}-root" })
  }

  tags = merge(local.tags, { Name = each.key, role = each.value.role })

  lifecycle {
    # A newer image or first-boot text is for new nodes: `terraform apply -replace=...` one at a time, after a drain.
    ignore_changes = [ami, user_data]
  }
  depends_on = [terraform_data.checks]
}

resource "aws_instance" "bastion" {
  #checkov:skip=CKV_AWS_126:detailed monitoring costs; a lost bastion is replaced, nothing runs on it
  #checkov:skip=CKV2_AWS_41:the bastion calls no AWS service, so it has no role
  count = var.running && var.bastion ? 1 : 0

  ami                    = local.image
  instance_type          = local.defaults.bastion_flavour
  key_name               = aws_key_pair.admin.key_name
  subnet_id              = aws_subnet.public[0].id
  private_ip             = cidrhost(aws_subnet.public[0].cidr_block, 5)
  vpc_security_group_ids = [aws_security_group.this["admin"].id]
  ebs_optimized          = true
  user_data              = "#cloud-config\nhostname: ${var.name}-bastion\npreserve_hostname: false\n"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 20
    encrypted   = true
    kms_key_id  = aws_kms_key.data.arn
    tags        = merge(local.tags, { Name = "${var.name}-bastion-root" })
  }

  tags = merge(local.tags, { Name = "${var.name}-bastion", role = "bastion" })

  lifecycle {
    ignore_changes = [ami, user_data]
  }
  depends_on = [terraform_data.checks]
}

# Kept while the cluster is stopped, so that known_hosts and firewalls elsewhere stay right.
resource "aws_eip" "bastion" {
  count  = var.bastion ? 1 : 0
  domain = "vpc"
  tags   = merge(local.tags, { Name = "${var.name}-bastion" })
}

resource "aws_eip_association" "bastion" {
  count         = var.running && var.bastion ? 1 : 0
  allocation_id = aws_eip.bastion[0].id
  instance_id   = aws_instance.bastion[0].id
}
