# What the cluster is made of, for any cloud. This file is the same in every module under tf/modules.

locals {
  tags = merge(var.tags, { project = "hilum", cluster = var.name, managed-by = "terraform" })

  roles = {
    server = {
      count      = var.server_count
      flavour    = coalesce(var.server_flavour, local.defaults.server_flavour)
      data_gb    = var.server_data_gb
      first_host = 10
    }
    agent = {
      count      = var.agent_count
      flavour    = coalesce(var.agent_flavour, local.defaults.agent_flavour)
      data_gb    = var.agent_data_gb
      first_host = 100
    }
    gpu_agent = {
      count      = var.gpu_agent_count
      flavour    = coalesce(var.gpu_agent_flavour, local.defaults.gpu_agent_flavour)
      data_gb    = var.gpu_agent_data_gb
      first_host = 200
    }
  }

  # Nodes by name. Addresses are fixed by name, so that a replaced node is the same node to the cluster and to the inventory.
  nodes = merge([
    for role, kind in local.roles : {
      for index in range(kind.count) : "${var.name}-${replace(role, "_", "-")}-${index + 1}" => {
        role        = role
        flavour     = kind.flavour
        data_gb     = kind.data_gb
        zone_index  = index % local.zone_count
        host_number = kind.first_host + index
      }
    }
  ]...)
  running_nodes = var.running ? local.nodes : {}
  servers       = [for name, node in local.nodes : name if node.role == "server"]

  # Where traffic from outside arrives: the agents, or the servers of a cluster without agents.
  entry_role        = var.agent_count > 0 ? "agent" : "server"
  entry_nodes       = [for name, node in local.nodes : name if node.role == local.entry_role]
  floating_node     = var.entry == "floating_ip" ? local.entry_nodes[0] : ""
  has_load_balancer = var.running && var.entry == "load_balancer"
  # With one server there is nothing to balance; without load balancers nodes join at the first server and learn the others.
  has_api_balancer = local.has_load_balancer && var.server_count > 1

  entry_ports = {
    http  = { port = 80, cidrs = var.web_cidrs }
    https = { port = 443, cidrs = var.web_cidrs }
    dicom = { port = 11112, cidrs = var.dicom_cidrs }
  }
  # One rule per port and network, by a name that doesn't depend on the order of the lists.
  entry_rules = merge([
    for service, kind in local.entry_ports : { for cidr in kind.cidrs : "${service} from ${cidr}" => { port = kind.port, cidr = cidr } }
  ]...)
  egress_rules = merge(
    { for pair in setproduct([80, 443], var.egress_cidrs) : "${pair[0]} to ${pair[1]}" => { port = pair[0], cidr = pair[1] } },
    { for pair in setproduct([104, 11112], var.dicom_cidrs) : "dicom ${pair[0]} to ${pair[1]}" => { port = pair[0], cidr = pair[1] } },
  )
  has_egress = length(var.egress_cidrs) > 0

  # What each pair of keys is for; `films` holds what HILUM_BLOBS_URL points to, `backups` etcd's and the database's copies.
  bucket_purposes = toset(["films", "backups"])

  ssh_user = coalesce(var.ssh_user, local.defaults.ssh_user)
}
