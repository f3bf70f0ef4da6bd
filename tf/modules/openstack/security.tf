# Who may reach what. Four groups: entry (80, 443, 11112), admin (SSH), nodes, servers.
# The entry group is on the entry nodes where there is no load balancer; the balancer's own allow list is in entry.tf.
# The admin group is on the bastion, or else on every node.

locals {
  groups = {
    entry  = "Browsers and DICOM senders by allow list"
    admin  = "SSH by allow list"
    nodes  = "Among nodes"
    server = "K3s servers: API and etcd"
  }

  # Among nodes: port numbers are K3s's (docs.k3s.io, requirements, networking); "group from group" is the rule's name.
  inner_rules = {
    "nodes from nodes: kubelet"     = { to = "nodes", from = "nodes", protocol = "tcp", first = 10250, last = 10250 }
    "nodes from nodes: node export" = { to = "nodes", from = "nodes", protocol = "tcp", first = 9100, last = 9100 }
    "nodes from nodes: VXLAN"       = { to = "nodes", from = "nodes", protocol = "udp", first = 8472, last = 8472 }
    "nodes from nodes: WireGuard"   = { to = "nodes", from = "nodes", protocol = "udp", first = 51820, last = 51820 }
    "nodes from nodes: ICMP"        = { to = "nodes", from = "nodes", protocol = "icmp", first = null, last = null }
    "nodes from admin: SSH"         = { to = "nodes", from = "admin", protocol = "tcp", first = 22, last = 22 }
    "server from nodes: API"        = { to = "server", from = "nodes", protocol = "tcp", first = 6443, last = 6443 }
    "server from admin: API"        = { to = "server", from = "admin", protocol = "tcp", first = 6443, last = 6443 }
    "server from server: etcd"      = { to = "server", from = "server", protocol = "tcp", first = 2379, last = 2380 }
  }

  # Octavia's balancer stands in the public subnet and carries no group of ours.
  balancer_rules = local.has_load_balancer ? {
    "nodes from balancer: HTTP"  = { to = "nodes", port = 80 }
    "nodes from balancer: HTTPS" = { to = "nodes", port = 443 }
    "nodes from balancer: DICOM" = { to = "nodes", port = 11112 }
    "server from balancer: API"  = { to = "server", port = 6443 }
  } : {}

  # DHCP passes anyway; cloud-init reads a config drive, so nobody needs the metadata address.
  outside_rules = merge(
    { for pair in setproduct(["nodes", "admin"], keys(local.egress_rules)) : "${pair[0]} ${pair[1]}" => merge(local.egress_rules[pair[1]], { group = pair[0], protocol = "tcp" }) },
    { for pair in setproduct(["nodes", "admin"], var.egress_cidrs) : "${pair[0]} time to ${pair[1]}" => { group = pair[0], protocol = "udp", port = 123, cidr = pair[1] } },
  )
}

resource "openstack_networking_secgroup_v2" "this" {
  for_each             = local.groups
  name                 = "${var.name}-${each.key}"
  description          = each.value
  delete_default_rules = true
  tags                 = local.tag_list
}

resource "openstack_networking_secgroup_rule_v2" "entry" {
  for_each          = local.entry_rules
  security_group_id = openstack_networking_secgroup_v2.this["entry"].id
  description       = each.key
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value.port
  port_range_max    = each.value.port
  remote_ip_prefix  = each.value.cidr
}

resource "openstack_networking_secgroup_rule_v2" "admin" {
  for_each          = toset(var.admin_cidrs)
  security_group_id = openstack_networking_secgroup_v2.this["admin"].id
  description       = "SSH from ${each.value}"
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
  remote_ip_prefix  = each.value
}

resource "openstack_networking_secgroup_rule_v2" "inner" {
  for_each          = local.inner_rules
  security_group_id = openstack_networking_secgroup_v2.this[each.value.to].id
  description       = each.key
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = each.value.protocol
  port_range_min    = each.value.first
  port_range_max    = each.value.last
  remote_group_id   = openstack_networking_secgroup_v2.this[each.value.from].id
}

resource "openstack_networking_secgroup_rule_v2" "balancer" {
  for_each          = local.balancer_rules
  security_group_id = openstack_networking_secgroup_v2.this[each.value.to].id
  description       = each.key
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value.port
  port_range_max    = each.value.port
  remote_ip_prefix  = local.public_cidr
}

# Out: everything may talk inside the network; only nodes and the bastion beyond it, and only where the lists say.
resource "openstack_networking_secgroup_rule_v2" "inside" {
  for_each          = local.groups
  security_group_id = openstack_networking_secgroup_v2.this[each.key].id
  description       = "inside the network"
  direction         = "egress"
  ethertype         = "IPv4"
  remote_ip_prefix  = var.network_cidr
}

resource "openstack_networking_secgroup_rule_v2" "outside" {
  for_each          = local.outside_rules
  security_group_id = openstack_networking_secgroup_v2.this[each.value.group].id
  description       = each.key
  direction         = "egress"
  ethertype         = "IPv4"
  protocol          = each.value.protocol
  port_range_min    = each.value.port
  port_range_max    = each.value.port
  remote_ip_prefix  = each.value.cidr
}
