# What would fail halfway is refused before anything is made, with the remedy.

locals {
  wanted_cores = sum(concat(
    [for node in local.nodes : try(coalesce(data.openstack_compute_flavor_v2.wanted[node.flavour].vcpus, 0), 0)],
    [var.bastion ? coalesce(data.openstack_compute_flavor_v2.wanted[local.defaults.bastion_flavour].vcpus, 0) : 0],
  ))
  wanted_instances = length(local.nodes) + (var.bastion ? 1 : 0)
  limits           = data.openstack_compute_limits_v2.this
}

resource "terraform_data" "checks" {
  lifecycle {
    precondition {
      condition     = var.gpu_agent_count == 0 || var.gpu_agent_flavour != ""
      error_message = "gpu_agent_flavour is missing: name the cloud's own GPU flavour (`openstack flavor list`), or set gpu_agent_count = 0."
    }
    precondition {
      condition     = var.bucket_endpoint != ""
      error_message = "bucket_endpoint is missing: give the cloud's S3 endpoint (`openstack catalog show object-store`, or ask the operator)."
    }
    # -1 means without a limit. What others in the project already use isn't subtracted: it would count this cluster twice.
    precondition {
      condition     = local.limits.max_total_cores < 0 || local.wanted_cores <= local.limits.max_total_cores
      error_message = "The project's quota is ${local.limits.max_total_cores} cores, the cluster needs ${local.wanted_cores}: ask for more, or take fewer or smaller nodes."
    }
    precondition {
      condition     = local.limits.max_total_instances < 0 || local.wanted_instances <= local.limits.max_total_instances
      error_message = "The project's quota is ${local.limits.max_total_instances} instances, the cluster needs ${local.wanted_instances}: ask for more, or take fewer nodes."
    }
    precondition {
      condition     = length(distinct(concat(keys(local.nodes), ["${var.name}-bastion"]))) == length(local.nodes) + 1
      error_message = "Two nodes would have one name."
    }
  }
}
