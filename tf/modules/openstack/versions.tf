terraform {
  # 1.11: the state's lock is a file beside it in the bucket (use_lockfile).
  required_version = ">= 1.11, < 2.0"
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
      # Exact, because no lock file is committed: the lock file would hold the registry's host name.
      version = "3.4.0"
    }
  }
}
