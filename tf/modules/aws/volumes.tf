# Data volumes are resources of their own: a node can be replaced or stopped, its volume stays and comes back to it.

locals {
  volume_ids = { for name, volume in aws_ebs_volume.data : name => volume.id }
  # Nitro's stable name; /dev/nvme1n1 and its like change from boot to boot.
  data_devices = {
    for name, id in local.volume_ids : name => "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(id, "-", "")}"
  }
}

resource "aws_ebs_volume" "data" {
  for_each          = local.nodes
  availability_zone = local.zones[each.value.zone_index]
  size              = each.value.data_gb
  type              = local.volume_type
  encrypted         = true
  kms_key_id        = aws_kms_key.data.arn
  final_snapshot    = true
  tags              = merge(local.tags, { Name = "${each.key}-data", node = each.key })

  lifecycle {
    prevent_destroy = true
  }
  depends_on = [terraform_data.checks]
}

resource "aws_volume_attachment" "data" {
  for_each    = local.running_nodes
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data[each.key].id
  instance_id = aws_instance.node[each.key].id
  # A volume is never pulled from a running system: the file system on it would be torn.
  stop_instance_before_detaching = true
}
