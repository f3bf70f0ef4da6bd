terraform {
  # 1.11: the state's lock is a file beside it in the bucket (use_lockfile).
  required_version = ">= 1.11, < 2.0"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Exact, because no lock file is committed: the lock file would hold the registry's host name.
      version = "5.100.0"
    }
  }
}
