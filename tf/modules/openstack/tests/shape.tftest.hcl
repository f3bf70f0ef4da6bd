# The shape of what would be made, planned against a mock provider: no project, no network. What the variables refuse is tested
# in the AWS module: their files are the same.

mock_provider "openstack" {
  override_data {
    target = data.openstack_identity_auth_scope_v3.this
    values = { project_id = "0123456789abcdef0123456789abcdef" }
  }
  override_data {
    target = data.openstack_compute_limits_v2.this
    values = { max_total_cores = 40, max_total_instances = 10 }
  }
}

# A mock leaves what a data source may be asked by empty, as a flavour's cores: the quota's test counts instances.
variables {
  external_network = "public"
  bucket_endpoint  = "https://s3.cloud.example.org"
  ssh_public_key   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExamp someone"
  admin_cidrs      = ["203.0.113.0/28"]
  web_cidrs        = ["198.51.100.0/24"]
  dicom_cidrs      = ["198.51.100.32/28"]
}

run "the_smallest_cluster_is_one_server_with_a_fixed_address" {
  command = plan
  assert {
    condition     = toset(keys(openstack_compute_instance_v2.node)) == toset(["hilum-server-1"])
    error_message = "Expected one node, got ${join(", ", keys(openstack_compute_instance_v2.node))}."
  }
  assert {
    condition     = output.api_address == "10.40.0.10" && length(openstack_compute_servergroup_v2.servers) == 0
    error_message = "Nodes join at the server's own address."
  }
}

run "three_servers_stand_apart_and_join_behind_a_listener_for_the_network_alone" {
  command = plan
  variables {
    server_count      = 3
    agent_count       = 2
    gpu_agent_count   = 1
    gpu_agent_flavour = "g1.xlarge"
  }
  assert {
    condition     = openstack_compute_servergroup_v2.servers[0].policies[0] == "soft-anti-affinity"
    error_message = "Servers ask for different hosts."
  }
  assert {
    condition     = openstack_lb_listener_v2.entry["api"].allowed_cidrs == tolist(["10.40.0.0/16"])
    error_message = "The API is for the network alone."
  }
  assert {
    condition     = length(distinct([for node in output.nodes : node.address])) == 6
    error_message = "Every node has an address of its own."
  }
  assert {
    condition     = length([for member in openstack_lb_members_v2.entry["dicom"].member : member]) == 2
    error_message = "Films go to both agents."
  }
}

run "a_port_without_networks_has_no_listener" {
  command = plan
  variables {
    dicom_cidrs = []
  }
  assert {
    condition     = !contains(keys(openstack_lb_listener_v2.entry), "dicom")
    error_message = "Octavia would let everyone in."
  }
}

run "a_stopped_cluster_keeps_volumes_and_addresses" {
  command = plan
  variables {
    running = false
  }
  assert {
    condition = (length(openstack_compute_instance_v2.node) == 0 && length(openstack_blockstorage_volume_v3.data) == 1 &&
    length(openstack_networking_floatingip_v2.entry) == 1)
    error_message = "Only what costs by the hour goes."
  }
}

run "a_quota_that_is_too_small_is_said_before_anything_is_made" {
  command = plan
  variables {
    server_count = 3
    agent_count  = 8
  }
  expect_failures = [terraform_data.checks]
}

run "gpu_agents_without_a_flavour_are_refused" {
  command = plan
  variables {
    gpu_agent_count = 1
  }
  expect_failures = [terraform_data.checks]
}

run "a_bucket_without_an_endpoint_is_refused" {
  command = plan
  variables {
    bucket_endpoint = ""
  }
  expect_failures = [terraform_data.checks]
}
