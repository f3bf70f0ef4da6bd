terraform {
  required_version = ">= 1.11, < 2.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # State in a bucket, locked by a file beside it. Values: terraform init -backend-config=backend.hcl
  backend "s3" {}
}

# Keys of access come from the environment or a profile, never from a file here.
provider "aws" {
  region = var.region
}
