# Who may reach what. Five groups: entry (80, 443, 11112), admin (SSH), nodes, servers, api (the balancer in front of 6443).
# The entry group is on the load balancer, or else on the entry nodes; the admin group on the bastion, or else on every node.

locals {
  groups = {
    entry  = "Browsers and DICOM senders by allow list"
    admin  = "SSH by allow list"
    nodes  = "Among nodes"
    server = "K3s servers: API and etcd"
    api    = "Load balancer in front of the K3s API, inside the network"
  }

  # Among nodes: port numbers are K3s's (docs.k3s.io, requirements, networking); "group from group" is the rule's name.
  inner_rules = {
    "nodes from nodes: kubelet"     = { to = "nodes", from = "nodes", protocol = "tcp", first = 10250, last = 10250 }
    "nodes from nodes: node export" = { to = "nodes", from = "nodes", protocol = "tcp", first = 9100, last = 9100 }
    "nodes from nodes: VXLAN"       = { to = "nodes", from = "nodes", protocol = "udp", first = 8472, last = 8472 }
    "nodes from nodes: WireGuard"   = { to = "nodes", from = "nodes", protocol = "udp", first = 51820, last = 51820 }
    "nodes from nodes: ICMP"        = { to = "nodes", from = "nodes", protocol = "icmp", first = -1, last = -1 }
    "nodes from admin: SSH"         = { to = "nodes", from = "admin", protocol = "tcp", first = 22, last = 22 }
    "nodes from entry: HTTP"        = { to = "nodes", from = "entry", protocol = "tcp", first = 80, last = 80 }
    "nodes from entry: HTTPS"       = { to = "nodes", from = "entry", protocol = "tcp", first = 443, last = 443 }
    "nodes from entry: DICOM"       = { to = "nodes", from = "entry", protocol = "tcp", first = 11112, last = 11112 }
    "server from nodes: API"        = { to = "server", from = "nodes", protocol = "tcp", first = 6443, last = 6443 }
    "server from admin: API"        = { to = "server", from = "admin", protocol = "tcp", first = 6443, last = 6443 }
    "server from api: API"          = { to = "server", from = "api", protocol = "tcp", first = 6443, last = 6443 }
    "server from server: etcd"      = { to = "server", from = "server", protocol = "tcp", first = 2379, last = 2380 }
    "api from nodes: API"           = { to = "api", from = "nodes", protocol = "tcp", first = 6443, last = 6443 }
    "api from admin: API"           = { to = "api", from = "admin", protocol = "tcp", first = 6443, last = 6443 }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:attached by nodes.tf and entry.tf through local lists, which checkov doesn't follow
  for_each    = local.groups
  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id
  tags        = merge(local.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "entry" {
  for_each          = local.entry_rules
  security_group_id = aws_security_group.this["entry"].id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "admin" {
  for_each          = toset(var.admin_cidrs)
  security_group_id = aws_security_group.this["admin"].id
  description       = "SSH from ${each.value}"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = each.value
  tags              = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "inner" {
  #checkov:skip=CKV_AWS_24:these rules name a group, never a network; checkov reads a missing network as everyone
  #checkov:skip=CKV_AWS_260:these rules name a group, never a network; checkov reads a missing network as everyone
  #checkov:skip=CKV_AWS_277:these rules name a group, never a network; checkov reads a missing network as everyone
  for_each                     = local.inner_rules
  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = each.key
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.first
  to_port                      = each.value.last
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  tags                         = local.tags
}

# Out: everything may talk inside the network; only nodes and the bastion beyond it, and only where the lists say.
resource "aws_vpc_security_group_egress_rule" "inside" {
  for_each          = local.groups
  security_group_id = aws_security_group.this[each.key].id
  description       = "inside the network"
  ip_protocol       = "-1"
  cidr_ipv4         = var.network_cidr
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "outside" {
  for_each          = local.egress_rules
  security_group_id = aws_security_group.this["nodes"].id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "bastion_outside" {
  for_each          = { for name, rule in local.egress_rules : name => rule if contains([80, 443], rule.port) }
  security_group_id = aws_security_group.this["admin"].id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "bucket" {
  security_group_id = aws_security_group.this["nodes"].id
  description       = "the bucket, through the network's own endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.bucket.prefix_list_id
  tags              = local.tags
}
