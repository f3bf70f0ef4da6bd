# The way in for browsers and DICOM senders, and the address at which nodes join.

locals {
  entry_address = (
    var.entry == "none" ? "" :
    openstack_networking_floatingip_v2.entry[0].address
  )
  api_address = local.has_api_balancer ? openstack_lb_loadbalancer_v2.entry[0].vip_address : local.addresses[local.servers[0]]

  # A listener without an allow list would let everyone in (Octavia's default), so a port without networks has no listener.
  listeners = local.has_load_balancer ? merge(
    { for service, kind in local.entry_ports : service => merge(kind, { nodes = local.entry_nodes }) if length(kind.cidrs) > 0 },
    local.has_api_balancer ? { api = { port = 6443, cidrs = [var.network_cidr], nodes = local.servers } } : {},
  ) : {}
}

resource "openstack_lb_loadbalancer_v2" "entry" {
  count         = local.has_load_balancer ? 1 : 0
  name          = "${var.name}-entry"
  vip_subnet_id = openstack_networking_subnet_v2.public.id
  tags          = local.tag_list
  depends_on    = [openstack_networking_router_interface_v2.public, openstack_networking_router_interface_v2.private]
}

# TLS ends at the cluster's ingress, whose key never leaves it; the balancer passes bytes on.
resource "openstack_lb_listener_v2" "entry" {
  for_each        = local.listeners
  name            = "${var.name}-${each.key}"
  loadbalancer_id = openstack_lb_loadbalancer_v2.entry[0].id
  protocol        = "TCP"
  protocol_port   = each.value.port
  allowed_cidrs   = each.value.cidrs
  default_pool_id = openstack_lb_pool_v2.entry[each.key].id
}

resource "openstack_lb_pool_v2" "entry" {
  for_each        = local.listeners
  name            = "${var.name}-${each.key}"
  loadbalancer_id = openstack_lb_loadbalancer_v2.entry[0].id
  protocol        = "TCP"
  lb_method       = "LEAST_CONNECTIONS"
}

resource "openstack_lb_members_v2" "entry" {
  for_each = local.listeners
  pool_id  = openstack_lb_pool_v2.entry[each.key].id
  dynamic "member" {
    for_each = toset(each.value.nodes)
    content {
      name          = member.value
      address       = local.addresses[member.value]
      protocol_port = each.value.port
      subnet_id     = openstack_networking_subnet_v2.private.id
    }
  }
}

resource "openstack_lb_monitor_v2" "entry" {
  for_each    = local.listeners
  name        = "${var.name}-${each.key}"
  pool_id     = openstack_lb_pool_v2.entry[each.key].id
  type        = "TCP"
  delay       = 10
  timeout     = 5
  max_retries = 3
}

# Kept while the cluster is stopped, so that DNS and the senders' settings stay right.
resource "openstack_networking_floatingip_v2" "entry" {
  count = var.entry != "none" ? 1 : 0
  pool  = local.external_name
  tags  = local.tag_list
}

resource "openstack_networking_floatingip_associate_v2" "entry" {
  count       = var.running && var.entry != "none" ? 1 : 0
  floating_ip = openstack_networking_floatingip_v2.entry[0].address
  port_id     = local.has_load_balancer ? openstack_lb_loadbalancer_v2.entry[0].vip_port_id : openstack_networking_port_v2.node[local.floating_node].id
  depends_on  = [openstack_networking_router_interface_v2.public, openstack_networking_router_interface_v2.private]
}
