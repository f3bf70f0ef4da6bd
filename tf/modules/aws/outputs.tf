# The interface. This file is the same in every module under tf/modules; tests/infra/test_interface.py compares them.

output "inventory" {
  description = "Ansible inventory in YAML, without secrets: terraform output -raw inventory > inventory.yaml"
  value       = local.inventory
}

output "entry_address" {
  description = "Where browsers and DICOM senders connect: a DNS name or an address; empty while there is none."
  value       = local.entry_address
}

output "api_address" {
  description = "Where nodes join and kubectl connects, port 6443, from inside the network only."
  value       = local.api_address
}

output "bastion_address" {
  description = "Public address for SSH; empty without a bastion."
  value       = local.bastion_address
}

output "nodes" {
  description = "Every node by name: role, private address, zone, data volume's id and device."
  value       = local.node_facts
}

output "network_id" {
  description = "Id of the network, for peering or a VPN."
  value       = local.network_id
}

output "bucket" {
  description = "The bucket: name, region, endpoint (empty: AWS's own)."
  value       = local.bucket
}

output "bucket_credentials" {
  description = "Keys of access per purpose (films, backups), each with the only prefix it is meant for."
  value       = local.bucket_credentials
  sensitive   = true
}
