# A private network for nodes, a public one for the bastion and the load balancer, one router between them and the outside.

locals {
  # A cluster without bastion, entry and way out has no external gateway at all.
  has_gateway      = var.bastion || var.entry != "none" || local.has_egress
  network_id       = openstack_networking_network_v2.private.id
  tag_list         = [for key, value in local.tags : "${key}=${value}"]
  private_cidr     = cidrsubnet(var.network_cidr, 4, 0)
  public_cidr      = cidrsubnet(var.network_cidr, 4, 8)
  external_name    = var.external_network != "" || !local.has_gateway ? var.external_network : local.external_network.name
  external_network = local.has_gateway ? data.openstack_networking_network_v2.external[0] : null
}

resource "openstack_networking_network_v2" "private" {
  name = "${var.name}-private"
  tags = local.tag_list
}

resource "openstack_networking_subnet_v2" "private" {
  name       = "${var.name}-private"
  network_id = openstack_networking_network_v2.private.id
  cidr       = local.private_cidr
  ip_version = 4
  tags       = local.tag_list
  # Fixed addresses are below; what the cloud hands out itself comes from the end.
  allocation_pool {
    start = cidrhost(local.private_cidr, 250)
    end   = cidrhost(local.private_cidr, -2)
  }
}

resource "openstack_networking_network_v2" "public" {
  name = "${var.name}-public"
  tags = local.tag_list
}

resource "openstack_networking_subnet_v2" "public" {
  name       = "${var.name}-public"
  network_id = openstack_networking_network_v2.public.id
  cidr       = local.public_cidr
  ip_version = 4
  tags       = local.tag_list
}

resource "openstack_networking_router_v2" "this" {
  name                = var.name
  external_network_id = local.has_gateway ? local.external_network.id : null
  tags                = local.tag_list
}

resource "openstack_networking_router_interface_v2" "private" {
  router_id = openstack_networking_router_v2.this.id
  subnet_id = openstack_networking_subnet_v2.private.id
}

resource "openstack_networking_router_interface_v2" "public" {
  router_id = openstack_networking_router_v2.this.id
  subnet_id = openstack_networking_subnet_v2.public.id
}
