# A cluster on an OpenStack project (Chameleon and its like): one server, one agent, one floating IP. Copy, change, keep the module.

module "cluster" {
  source = "../../modules/openstack"

  name             = var.name
  tags             = { owner = "radiology" }
  running          = var.running
  zones            = var.zones
  image            = var.image
  external_network = var.external_network
  ssh_public_key   = var.ssh_public_key
  admin_cidrs      = var.admin_cidrs
  web_cidrs        = var.web_cidrs
  dicom_cidrs      = var.dicom_cidrs
  entry            = "floating_ip" # load_balancer where the cloud has Octavia
  server_count     = 1
  agent_count      = 1
  gpu_agent_count  = 0 # with a GPU flavour: gpu_agent_flavour = "the cloud's own name"
  bucket_endpoint  = var.bucket_endpoint
}
