# A cluster on AWS: three servers, two agents, one GPU agent. Copy this folder, change the values, keep the module.

module "cluster" {
  source = "../../modules/aws"

  name              = var.name
  tags              = { owner = "radiology", cost-centre = "replace-me" }
  running           = var.running
  zones             = var.zones
  image             = var.image
  ssh_public_key    = var.ssh_public_key
  admin_cidrs       = var.admin_cidrs
  web_cidrs         = var.web_cidrs
  dicom_cidrs       = var.dicom_cidrs
  server_count      = 3
  agent_count       = 2
  gpu_agent_count   = 1
  gpu_agent_flavour = "g4dn.xlarge"
}
