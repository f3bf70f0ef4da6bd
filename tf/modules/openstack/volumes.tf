# Data volumes are resources of their own: a node can be replaced or stopped, its volume stays and comes back to it.
# Whether they are encrypted is the volume type's property, which only the operator sets: name such a type in volume_type.

locals {
  volume_ids = { for name, volume in openstack_blockstorage_volume_v3.data : name => volume.id }
  # virtio's serial number holds the first 20 characters; /dev/vdb and its like change from boot to boot.
  data_devices = { for name, id in local.volume_ids : name => "/dev/disk/by-id/virtio-${substr(id, 0, 20)}" }
}

resource "openstack_blockstorage_volume_v3" "data" {
  for_each             = local.nodes
  name                 = "${each.key}-data"
  size                 = each.value.data_gb
  volume_type          = var.volume_type != "" ? var.volume_type : null
  availability_zone    = local.zone_names[each.key] != "" ? local.zone_names[each.key] : null
  enable_online_resize = true
  metadata             = merge(local.tags, { node = each.key })

  lifecycle {
    prevent_destroy = true
  }
  depends_on = [terraform_data.checks]
}

resource "openstack_compute_volume_attach_v2" "data" {
  for_each    = local.running_nodes
  instance_id = openstack_compute_instance_v2.node[each.key].id
  volume_id   = openstack_blockstorage_volume_v3.data[each.key].id
}
