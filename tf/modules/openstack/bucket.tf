# The bucket for films, releases and backups: a Swift container, versioned, readable by nobody but its project, never destroyed
# by Terraform. Encryption at rest and TLS are the operator's; old versions are kept until somebody removes them, because Swift
# has no rule by age (bucket_noncurrent_days says what the operator should set where the S3 service can).

locals {
  bucket_name = coalesce(var.bucket_name, "${var.name}-${local.project_id}")
  bucket = {
    name     = openstack_objectstorage_container_v1.data.name
    region   = coalesce(openstack_objectstorage_container_v1.data.region, "us-east-1")
    endpoint = var.bucket_endpoint
  }
}

resource "openstack_objectstorage_container_v1" "data" {
  name          = local.bucket_name
  versioning    = true
  force_destroy = false
  metadata      = merge(local.tags, { noncurrent-days = tostring(var.bucket_noncurrent_days) })

  lifecycle {
    prevent_destroy = true
  }
}
