# What people and Ansible need: terraform output -raw inventory > inventory.yaml

output "inventory" {
  description = "Ansible inventory in YAML, without secrets."
  value       = module.cluster.inventory
}

output "entry_address" {
  description = "Where browsers and DICOM senders connect."
  value       = module.cluster.entry_address
}

output "api_address" {
  description = "Where nodes join and kubectl connects, from inside."
  value       = module.cluster.api_address
}

output "bastion_address" {
  description = "Public address for SSH."
  value       = module.cluster.bastion_address
}

output "nodes" {
  description = "Every node: role, address, zone, data volume."
  value       = module.cluster.nodes
}

output "network_id" {
  description = "Id of the network, for peering or a VPN."
  value       = module.cluster.network_id
}

output "bucket" {
  description = "The bucket: name, region, endpoint."
  value       = module.cluster.bucket
}

output "bucket_credentials" {
  description = "Keys of access per purpose: terraform output -json bucket_credentials"
  value       = module.cluster.bucket_credentials
  sensitive   = true
}
