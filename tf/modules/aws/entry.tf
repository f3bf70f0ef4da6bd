# The way in for browsers and DICOM senders, and the address at which nodes join.

locals {
  entry_address = (
    local.has_load_balancer ? aws_lb.entry[0].dns_name :
    var.entry == "floating_ip" ? aws_eip.entry[0].public_ip : ""
  )
  api_address = local.has_api_balancer ? aws_lb.api[0].dns_name : local.addresses[local.servers[0]]

  entry_targets = local.has_load_balancer ? {
    for pair in setproduct(keys(local.entry_ports), local.entry_nodes) : "${pair[0]} at ${pair[1]}" => { service = pair[0], node = pair[1] }
  } : {}
}

resource "aws_lb" "entry" {
  #checkov:skip=CKV_AWS_91:access logs of a TCP balancer say less than the ingress controller's, which the cluster keeps
  #checkov:skip=CKV_AWS_150:running = false must be able to remove it; it holds no data
  count                            = local.has_load_balancer ? 1 : 0
  name                             = "${var.name}-entry"
  load_balancer_type               = "network"
  internal                         = false
  subnets                          = aws_subnet.public[*].id
  security_groups                  = [aws_security_group.this["entry"].id]
  enable_cross_zone_load_balancing = true
  tags                             = merge(local.tags, { Name = "${var.name}-entry" })
  depends_on                       = [aws_internet_gateway.this]
}

resource "aws_lb_target_group" "entry" {
  for_each = local.has_load_balancer ? local.entry_ports : {}
  name     = "${var.name}-${each.key}"
  port     = each.value.port
  protocol = "TCP"
  vpc_id   = aws_vpc.this.id
  # The application sees the sender's own address: the log of who sent what needs it.
  preserve_client_ip = true
  health_check {
    protocol = "TCP"
    interval = 10
  }
  tags = local.tags
}

# TLS ends at the cluster's ingress, whose key never leaves it; the balancer passes bytes on.
resource "aws_lb_listener" "entry" {
  for_each          = local.has_load_balancer ? local.entry_ports : {}
  load_balancer_arn = aws_lb.entry[0].arn
  port              = each.value.port
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.entry[each.key].arn
  }
  tags = local.tags
}

resource "aws_lb_target_group_attachment" "entry" {
  for_each         = local.entry_targets
  target_group_arn = aws_lb_target_group.entry[each.value.service].arn
  target_id        = aws_instance.node[each.value.node].id
}

# Kept while the cluster is stopped, so that DNS and the senders' settings stay right.
resource "aws_eip" "entry" {
  count  = var.entry == "floating_ip" ? 1 : 0
  domain = "vpc"
  tags   = merge(local.tags, { Name = "${var.name}-entry" })
}

resource "aws_eip_association" "entry" {
  count         = var.running && var.entry == "floating_ip" ? 1 : 0
  allocation_id = aws_eip.entry[0].id
  instance_id   = aws_instance.node[local.floating_node].id
}

resource "aws_lb" "api" {
  #checkov:skip=CKV_AWS_91:the API server's own audit log says who did what
  #checkov:skip=CKV_AWS_150:running = false must be able to remove it; it holds no data
  count                            = local.has_api_balancer ? 1 : 0
  name                             = "${var.name}-api"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = aws_subnet.private[*].id
  security_groups                  = [aws_security_group.this["api"].id]
  enable_cross_zone_load_balancing = true
  tags                             = merge(local.tags, { Name = "${var.name}-api" })
}

resource "aws_lb_target_group" "api" {
  count    = local.has_api_balancer ? 1 : 0
  name     = "${var.name}-api"
  port     = 6443
  protocol = "TCP"
  vpc_id   = aws_vpc.this.id
  # A server that is balanced to itself would drop the answer if it saw its own address as the sender's.
  preserve_client_ip = false
  health_check {
    protocol = "TCP"
    interval = 10
  }
  tags = local.tags
}

resource "aws_lb_listener" "api" {
  count             = local.has_api_balancer ? 1 : 0
  load_balancer_arn = aws_lb.api[0].arn
  port              = 6443
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api[0].arn
  }
  tags = local.tags
}

resource "aws_lb_target_group_attachment" "api" {
  for_each         = local.has_api_balancer ? toset(local.servers) : toset([])
  target_group_arn = aws_lb_target_group.api[0].arn
  target_id        = aws_instance.node[each.key].id
}
