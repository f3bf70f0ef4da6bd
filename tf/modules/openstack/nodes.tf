# Nodes and the bastion: no public address but the bastion's and the floating one; ports carry the groups and fixed addresses.

locals {
  addresses  = { for name, node in local.nodes : name => cidrhost(local.private_cidr, node.host_number) }
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

  bastion_address = var.bastion ? openstack_networking_floatingip_v2.bastion[0].address : ""
}

resource "openstack_compute_keypair_v2" "admin" {
  name       = "${var.name}-admin"
  public_key = trimspace(var.ssh_public_key)
}

# Ports outlive their nodes: a replaced or restarted node has the same address.
resource "openstack_networking_port_v2" "node" {
  for_each           = local.nodes
  name               = each.key
  network_id         = openstack_networking_network_v2.private.id
  security_group_ids = [for group in local.node_groups[each.key] : openstack_networking_secgroup_v2.this[group].id]
  tags               = local.tag_list
  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.private.id
    ip_address = local.addresses[each.key]
  }
}

# Three servers on three hosts where the cloud can: losing one machine must not lose etcd's majority.
resource "openstack_compute_servergroup_v2" "servers" {
  count    = var.server_count > 1 ? 1 : 0
  name     = "${var.name}-servers"
  policies = ["soft-anti-affinity"]
}

resource "openstack_compute_instance_v2" "node" {
  for_each = local.running_nodes

  name              = each.key
  flavor_id         = data.openstack_compute_flavor_v2.wanted[each.value.flavour].id
  key_pair          = openstack_compute_keypair_v2.admin.name
  availability_zone = local.zone_names[each.key] != "" ? local.zone_names[each.key] : null
  config_drive      = true
  # The names are the cluster's node names: two nodes can't have one name.
  user_data = "#cloud-config\nhostname: ${each.key}\npreserve_hostname: false\n"
  metadata  = merge(local.tags, { role = each.value.role })

  network {
    port = openstack_networking_port_v2.node[each.key].id
  }

  block_device {
    uuid                  = data.openstack_images_image_v2.node.id
    source_type           = "image"
    destination_type      = "volume"
    volume_size           = var.root_disk_gb
    boot_index            = 0
    delete_on_termination = true
  }

  dynamic "scheduler_hints" {
    for_each = each.value.role == "server" ? openstack_compute_servergroup_v2.servers : []
    content {
      group = scheduler_hints.value.id
    }
  }

  lifecycle {
    # A newer image or first-boot text is for new nodes: `terraform apply -replace=...` one at a time, after a drain.
    ignore_changes = [block_device, user_data, image_id]
    precondition {
      condition     = each.value.flavour != "none"
      error_message = "gpu_agent_flavour is missing."
    }
  }
  depends_on = [terraform_data.checks, openstack_networking_router_interface_v2.private]
}

resource "openstack_networking_port_v2" "bastion" {
  count              = var.bastion ? 1 : 0
  name               = "${var.name}-bastion"
  network_id         = openstack_networking_network_v2.public.id
  security_group_ids = [openstack_networking_secgroup_v2.this["admin"].id]
  tags               = local.tag_list
  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.public.id
  }
}

resource "openstack_compute_instance_v2" "bastion" {
  count = var.running && var.bastion ? 1 : 0

  name         = "${var.name}-bastion"
  flavor_id    = data.openstack_compute_flavor_v2.wanted[local.defaults.bastion_flavour].id
  key_pair     = openstack_compute_keypair_v2.admin.name
  config_drive = true
  user_data    = "#cloud-config\nhostname: ${var.name}-bastion\npreserve_hostname: false\n"
  metadata     = merge(local.tags, { role = "bastion" })

  network {
    port = openstack_networking_port_v2.bastion[0].id
  }

  block_device {
    uuid                  = data.openstack_images_image_v2.node.id
    source_type           = "image"
    destination_type      = "volume"
    volume_size           = 20
    boot_index            = 0
    delete_on_termination = true
  }

  lifecycle {
    ignore_changes = [block_device, user_data, image_id]
  }
  depends_on = [terraform_data.checks, openstack_networking_router_interface_v2.public]
}

# Kept while the cluster is stopped, so that known_hosts and firewalls elsewhere stay right.
resource "openstack_networking_floatingip_v2" "bastion" {
  count      = var.bastion ? 1 : 0
  pool       = local.external_name
  port_id    = openstack_networking_port_v2.bastion[0].id
  tags       = local.tag_list
  depends_on = [openstack_networking_router_interface_v2.public]
}
