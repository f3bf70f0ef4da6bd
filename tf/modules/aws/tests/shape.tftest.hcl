# The shape of what would be made, planned against a mock provider: no account, no network.

mock_provider "aws" {
  override_data {
    target = data.aws_availability_zones.usable
    values = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  override_data {
    target = data.aws_region.this
    values = { name = "eu-central-1" }
  }
  override_data {
    target = data.aws_partition.this
    values = { partition = "aws" }
  }
  override_data {
    target = data.aws_caller_identity.this
    values = { account_id = "123456789012" }
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.offered
    values = {
      instance_types = ["m6i.large", "m6i.large", "m6i.large", "m6i.xlarge", "m6i.xlarge", "m6i.xlarge", "g4dn.xlarge", "g4dn.xlarge"]
      locations      = ["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1a", "eu-central-1b"]
    }
  }
}

variables {
  image          = "ami-0123456789abcdef0"
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExamp someone"
  admin_cidrs    = ["203.0.113.0/28"]
  web_cidrs      = ["198.51.100.0/24"]
  dicom_cidrs    = ["198.51.100.32/28"]
}

run "the_smallest_cluster_is_one_server_without_a_balanced_api" {
  command = plan
  assert {
    condition     = toset(keys(aws_instance.node)) == toset(["hilum-server-1"])
    error_message = "Expected one node, got ${join(", ", keys(aws_instance.node))}."
  }
  assert {
    condition     = length(aws_lb.api) == 0 && length(aws_lb.entry) == 1
    error_message = "One server needs no API balancer, but an entry."
  }
  assert {
    condition     = output.api_address == "10.40.0.10"
    error_message = "Nodes join at the server's own address."
  }
}

run "three_servers_stand_in_three_zones_and_gpu_agents_have_their_flavour" {
  command = plan
  variables {
    server_count    = 3
    agent_count     = 2
    gpu_agent_count = 2
  }
  assert {
    condition     = length([for name, node in output.nodes : name if node.role == "server"]) % 2 == 1
    error_message = "etcd needs an odd number of servers."
  }
  assert {
    condition     = length(distinct([for node in output.nodes : node.zone if node.role == "server"])) == 3
    error_message = "Three servers stand in three zones."
  }
  assert {
    condition     = [for name, node in aws_instance.node : node.instance_type if startswith(name, "hilum-gpu-agent-")] == ["g4dn.xlarge", "g4dn.xlarge"]
    error_message = "Two GPU agents of the GPU flavour."
  }
  assert {
    condition     = length(aws_lb.api) == 1 && aws_lb.api[0].internal
    error_message = "Three servers stand behind a balancer inside the network."
  }
  assert {
    condition     = length(distinct([for node in output.nodes : node.address])) == length(output.nodes)
    error_message = "Every node has an address of its own."
  }
  assert {
    condition     = length(aws_lb_target_group_attachment.entry) == 6
    error_message = "Three ports at two agents."
  }
}

run "ssh_is_open_to_the_admin_range_alone" {
  command = plan
  variables {
    server_count = 3
    agent_count  = 1
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.admin : "${rule.from_port} ${rule.cidr_ipv4}"]) == toset(["22 203.0.113.0/28"])
    error_message = "SSH comes from the admin range only."
  }
  assert {
    condition = alltrue([
      for rule in concat(values(aws_vpc_security_group_ingress_rule.entry), values(aws_vpc_security_group_ingress_rule.admin)) :
      rule.cidr_ipv4 != "0.0.0.0/0"
    ])
    error_message = "Nothing is open to everyone."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.entry : contains([80, 443, 11112], rule.from_port) && rule.from_port == rule.to_port])
    error_message = "Only 80, 443 and 11112 are open to the outside."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.inner : rule.cidr_ipv4 == null])
    error_message = "Rules among nodes name groups, not networks."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.entry : "${rule.from_port} ${rule.cidr_ipv4}"]) == toset(["80 198.51.100.0/24", "443 198.51.100.0/24", "11112 198.51.100.32/28"])
    error_message = "Browsers and DICOM senders have an allow list each."
  }
}

run "empty_allow_lists_let_nobody_in" {
  command = plan
  variables {
    admin_cidrs = []
    web_cidrs   = []
    dicom_cidrs = []
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.entry) + length(aws_vpc_security_group_ingress_rule.admin) == 0
    error_message = "Without allow lists nothing from outside is let in."
  }
}

run "data_volumes_are_resources_of_their_own_and_encrypted" {
  command = plan
  variables {
    server_count    = 3
    agent_count     = 2
    gpu_agent_count = 1
  }
  assert {
    condition     = toset(keys(aws_ebs_volume.data)) == toset(keys(aws_instance.node)) && length(aws_volume_attachment.data) == 6
    error_message = "Every node has a data volume outside the instance."
  }
  assert {
    condition     = alltrue([for node in aws_instance.node : length(node.ebs_block_device) == 0])
    error_message = "No data volume lives inside an instance."
  }
  assert {
    condition     = alltrue([for volume in aws_ebs_volume.data : volume.encrypted && volume.final_snapshot])
    error_message = "Data volumes are encrypted and leave a snapshot."
  }
  assert {
    condition     = alltrue([for node in aws_instance.node : node.root_block_device[0].encrypted && node.metadata_options[0].http_tokens == "required" && node.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "System disks are encrypted, IMDSv2 only, out of pods' reach."
  }
}

run "a_stopped_cluster_keeps_volumes_bucket_and_addresses" {
  command = plan
  variables {
    running      = false
    server_count = 3
    agent_count  = 2
  }
  assert {
    condition     = length(aws_instance.node) + length(aws_instance.bastion) + length(aws_lb.entry) + length(aws_lb.api) + length(aws_nat_gateway.this) == 0
    error_message = "Nothing that runs is left."
  }
  assert {
    condition     = length(aws_ebs_volume.data) == 5 && aws_s3_bucket.data.force_destroy == false && length(aws_eip.bastion) == 1
    error_message = "Volumes, bucket and the bastion's address stay."
  }
}

run "a_closed_network_has_no_way_out" {
  command = plan
  variables {
    egress_cidrs = []
    entry        = "none"
    bastion      = false
  }
  assert {
    condition     = length(aws_internet_gateway.this) + length(aws_nat_gateway.this) + length(aws_route.public) + length(aws_route.private) + length(aws_lb.entry) == 0
    error_message = "No gateway, no route out."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.outside : rule.cidr_ipv4 == "198.51.100.32/28"])
    error_message = "Nodes may only answer DICOM senders."
  }
}

run "a_floating_ip_stands_on_one_node_in_the_public_subnet" {
  command = plan
  variables {
    entry       = "floating_ip"
    agent_count = 2
  }
  assert {
    condition     = length(aws_eip.entry) == 1 && length(aws_lb.entry) == 0 && output.nodes["hilum-agent-1"].address == "10.40.128.100"
    error_message = "The first agent carries the address."
  }
  assert {
    condition     = output.nodes["hilum-agent-2"].address == "10.40.16.101"
    error_message = "The second agent stays private, in the next zone."
  }
}

run "everything_that_takes_tags_has_them" {
  command = plan
  variables {
    server_count = 3
    tags         = { owner = "radiology" }
  }
  assert {
    condition = alltrue([
      for tags in concat(
        [for node in aws_instance.node : node.tags], [for volume in aws_ebs_volume.data : volume.tags],
        [for node in aws_instance.node : node.root_block_device[0].tags], [for subnet in aws_subnet.private : subnet.tags],
        [for group in aws_security_group.this : group.tags], [aws_vpc.this.tags, aws_s3_bucket.data.tags, aws_kms_key.data.tags],
        [for user in aws_iam_user.bucket : user.tags], [for balancer in aws_lb.entry : balancer.tags],
      ) : tags.project == "hilum" && tags.cluster == "hilum" && tags.managed-by == "terraform" && tags.owner == "radiology"
    ])
    error_message = "project, cluster, managed-by and the caller's own tags are on everything."
  }
}

run "a_flavour_that_a_zone_lacks_is_refused_with_the_remedy" {
  command = plan
  variables {
    gpu_agent_count = 3
  }
  expect_failures = [terraform_data.checks]
}

run "an_unknown_flavour_is_refused" {
  command = plan
  variables {
    agent_count   = 1
    agent_flavour = "m6i.enormous"
  }
  expect_failures = [terraform_data.checks]
}

run "openstack_settings_are_refused_on_aws" {
  command = plan
  variables {
    external_network = "public"
    bucket_endpoint  = "https://s3.cloud.example"
  }
  expect_failures = [terraform_data.checks]
}
