# What would fail halfway is refused before anything is made, with the remedy.

locals {
  offered = [
    for index, flavour in data.aws_ec2_instance_type_offerings.offered.instance_types :
    "${flavour} in ${data.aws_ec2_instance_type_offerings.offered.locations[index]}"
  ]
  wanted  = distinct([for node in local.nodes : "${node.flavour} in ${local.zones[node.zone_index]}"])
  missing = [for pair in local.wanted : pair if !contains(local.offered, pair)]
}

resource "terraform_data" "checks" {
  lifecycle {
    precondition {
      condition     = length(local.missing) == 0
      error_message = "AWS doesn't offer: ${join(", ", local.missing)}. Name other flavours (server_flavour, agent_flavour, gpu_agent_flavour) or zones that have them."
    }
    precondition {
      condition     = var.external_network == ""
      error_message = "external_network is for OpenStack; leave it empty on AWS."
    }
    precondition {
      condition     = var.bucket_endpoint == ""
      error_message = "bucket_endpoint is for OpenStack; leave it empty on AWS, whose clients know their endpoint."
    }
    precondition {
      condition     = length(distinct(concat(keys(local.nodes), ["${var.name}-bastion"]))) == length(local.nodes) + 1
      error_message = "Two nodes would have one name."
    }
  }
}
