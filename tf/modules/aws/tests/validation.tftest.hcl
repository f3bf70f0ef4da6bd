# Every variable refuses what it should, before anything is made. A test in tests/infra counts that no variable is left out.

mock_provider "aws" {
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
      instance_types = ["m6i.large", "m6i.large", "m6i.large", "m6i.large", "m6i.large"]
      locations      = ["eu-central-1a", "a", "b", "c", "d"]
    }
  }
}

variables {
  image          = "ami-0123456789abcdef0"
  zones          = ["eu-central-1a"]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExamp someone"
}

run "ssh_open_to_everyone_is_refused" {
  command = plan
  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.admin_cidrs]
}

run "ssh_open_to_two_halves_of_everyone_is_refused" {
  command = plan
  variables {
    admin_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }
  expect_failures = [var.admin_cidrs]
}

run "ssh_open_to_every_ipv6_address_is_refused" {
  command = plan
  variables {
    admin_cidrs = ["::/0"]
  }
  expect_failures = [var.admin_cidrs]
}

run "an_admin_range_that_is_no_network_is_refused" {
  command = plan
  variables {
    admin_cidrs = ["office"]
  }
  expect_failures = [var.admin_cidrs]
}

run "web_open_to_everyone_is_refused" {
  command = plan
  variables {
    web_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.web_cidrs]
}

run "dicom_open_to_everyone_is_refused" {
  command = plan
  variables {
    dicom_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.dicom_cidrs]
}

run "an_egress_list_of_names_is_refused" {
  command = plan
  variables {
    egress_cidrs = ["deb.example"]
  }
  expect_failures = [var.egress_cidrs]
}

run "two_servers_is_refused" {
  command = plan
  variables {
    server_count = 2
  }
  expect_failures = [var.server_count]
}

run "no_server_is_refused" {
  command = plan
  variables {
    server_count = 0
  }
  expect_failures = [var.server_count]
}

run "half_an_agent_is_refused" {
  command = plan
  variables {
    agent_count = 0.5
  }
  expect_failures = [var.agent_count]
}

run "a_negative_number_of_gpu_agents_is_refused" {
  command = plan
  variables {
    gpu_agent_count = -1
  }
  expect_failures = [var.gpu_agent_count]
}

run "a_missing_ssh_key_is_refused" {
  command = plan
  variables {
    ssh_public_key = ""
  }
  expect_failures = [var.ssh_public_key]
}

run "a_private_key_in_place_of_the_public_one_is_refused" {
  command = plan
  variables {
    ssh_public_key = "-----BEGIN OPENSSH"
  }
  expect_failures = [var.ssh_public_key]
}

run "root_as_the_ssh_user_is_refused" {
  command = plan
  variables {
    ssh_user = "root"
  }
  expect_failures = [var.ssh_user]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Hilum"
  }
  expect_failures = [var.name]
}

run "a_name_too_long_for_a_load_balancer_is_refused" {
  command = plan
  variables {
    name = "hilum-of-the-university-hospital"
  }
  expect_failures = [var.name]
}

run "a_tag_that_the_module_sets_is_refused" {
  command = plan
  variables {
    tags = { project = "other" }
  }
  expect_failures = [var.tags]
}

run "a_tag_with_strange_characters_is_refused" {
  command = plan
  variables {
    tags = { owner = "a;b" }
  }
  expect_failures = [var.tags]
}

run "a_public_network_is_refused" {
  command = plan
  variables {
    network_cidr = "198.51.100.0/20"
  }
  expect_failures = [var.network_cidr]
}

run "the_network_of_k3s_pods_is_refused" {
  command = plan
  variables {
    network_cidr = "10.42.0.0/16"
  }
  expect_failures = [var.network_cidr]
}

run "a_network_too_small_is_refused" {
  command = plan
  variables {
    network_cidr = "10.40.0.0/24"
  }
  expect_failures = [var.network_cidr]
}

run "a_network_not_written_from_its_start_is_refused" {
  command = plan
  variables {
    network_cidr = "10.40.1.0/16"
  }
  expect_failures = [var.network_cidr]
}

run "four_zones_is_refused" {
  command = plan
  variables {
    zones = ["a", "b", "c", "d"]
  }
  expect_failures = [var.zones]
}

run "one_zone_twice_is_refused" {
  command = plan
  variables {
    zones = ["a", "a"]
  }
  expect_failures = [var.zones]
}

run "an_entry_that_does_not_exist_is_refused" {
  command = plan
  variables {
    entry = "nodeport"
  }
  expect_failures = [var.entry]
}

run "an_external_network_with_an_endless_name_is_refused" {
  command = plan
  variables {
    external_network = join("", [for i in range(300) : "x"])
  }
  expect_failures = [var.external_network]
}

run "an_image_with_an_endless_name_is_refused" {
  command = plan
  variables {
    image = join("", [for i in range(300) : "x"])
  }
  expect_failures = [var.image]
}

run "a_server_flavour_with_a_space_is_refused" {
  command = plan
  variables {
    server_flavour = "m6i large"
  }
  expect_failures = [var.server_flavour]
}

run "an_agent_flavour_with_a_space_is_refused" {
  command = plan
  variables {
    agent_flavour = "m6i large"
  }
  expect_failures = [var.agent_flavour]
}

run "a_gpu_agent_flavour_with_a_space_is_refused" {
  command = plan
  variables {
    gpu_agent_flavour = "g4dn xlarge"
  }
  expect_failures = [var.gpu_agent_flavour]
}

run "a_volume_type_with_a_space_is_refused" {
  command = plan
  variables {
    volume_type = "fast disk"
  }
  expect_failures = [var.volume_type]
}

run "a_system_disk_too_small_for_the_images_is_refused" {
  command = plan
  variables {
    root_disk_gb = 10
  }
  expect_failures = [var.root_disk_gb]
}

run "a_server_volume_too_small_is_refused" {
  command = plan
  variables {
    server_data_gb = 1
  }
  expect_failures = [var.server_data_gb]
}

run "an_agent_volume_too_large_is_refused" {
  command = plan
  variables {
    agent_data_gb = 20000
  }
  expect_failures = [var.agent_data_gb]
}

run "a_gpu_agent_volume_of_half_a_gb_is_refused" {
  command = plan
  variables {
    gpu_agent_data_gb = 20.5
  }
  expect_failures = [var.gpu_agent_data_gb]
}

run "a_bucket_name_with_a_dot_is_refused" {
  command = plan
  variables {
    bucket_name = "films.example"
  }
  expect_failures = [var.bucket_name]
}

run "a_bucket_endpoint_without_tls_is_refused" {
  command = plan
  variables {
    bucket_endpoint = "http://s3.cloud.example"
  }
  expect_failures = [var.bucket_endpoint]
}

run "a_bucket_endpoint_with_a_password_is_refused" {
  command = plan
  variables {
    bucket_endpoint = "https://me:secret@s3.cloud.example"
  }
  expect_failures = [var.bucket_endpoint]
}

run "deleted_objects_kept_for_a_day_is_refused" {
  command = plan
  variables {
    bucket_noncurrent_days = 1
  }
  expect_failures = [var.bucket_noncurrent_days]
}
