# The inventory that Ansible reads. This file is the same in every module under tf/modules.

locals {
  node_facts = {
    for name, node in local.nodes : name => {
      role        = node.role
      address     = local.addresses[name]
      zone        = local.zone_names[name]
      volume_id   = local.volume_ids[name]
      data_device = local.data_devices[name]
    }
  }

  inventory = templatefile("${path.module}/../inventory.yaml.tftpl", {
    cluster         = var.name
    network_cidr    = var.network_cidr
    ssh_user        = local.ssh_user
    bastion_address = local.bastion_address
    api_address     = local.api_address
    entry_address   = local.entry_address
    bucket          = local.bucket
    # A stopped cluster has no hosts to configure.
    nodes = { for name, facts in local.node_facts : name => facts if var.running }
  })
}
