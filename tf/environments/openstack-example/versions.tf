terraform {
  required_version = ">= 1.11, < 2.0"
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = "3.4.0"
    }
  }

  # State in a bucket of any S3 service, locked by a file beside it. Values: terraform init -backend-config=backend.hcl
  backend "s3" {}
}

# Credentials come from the environment (source openrc.sh) or clouds.yaml, never from a file here.
provider "openstack" {
  region = var.region != "" ? var.region : null
}
