# What an empty variable means on OpenStack, and what the module finds out about the project.

locals {
  defaults = {
    server_flavour    = "m1.large"
    agent_flavour     = "m1.xlarge"
    gpu_agent_flavour = "none" # every cloud names its own: checks.tf asks for it
    bastion_flavour   = "m1.small"
    image             = "debian-13"
    ssh_user          = "debian"
  }
  image = coalesce(var.image, local.defaults.image)
  # An empty list of zones leaves the choice to the scheduler; the one "zone" is then an empty name.
  zones      = length(var.zones) > 0 ? var.zones : [""]
  zone_count = length(local.zones)
  project_id = data.openstack_identity_auth_scope_v3.this.project_id

  flavours = toset(concat(
    [for node in local.nodes : node.flavour if node.flavour != "none"],
    var.bastion ? [local.defaults.bastion_flavour] : [],
  ))
}

# Never with set_token_id: the token would lie in the state.
data "openstack_identity_auth_scope_v3" "this" {
  name = "hilum"
}

# A flavour or image that isn't there stops the plan here, before anything is made.
data "openstack_compute_flavor_v2" "wanted" {
  for_each = local.flavours
  name     = each.key
}

data "openstack_images_image_v2" "node" {
  name        = local.image
  most_recent = true
}

data "openstack_networking_network_v2" "external" {
  count    = local.has_gateway ? 1 : 0
  name     = var.external_network != "" ? var.external_network : null
  external = true
}

data "openstack_compute_limits_v2" "this" {
  project_id = local.project_id
}
