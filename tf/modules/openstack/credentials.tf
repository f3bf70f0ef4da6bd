# Keys of access for pods, one pair per purpose, so that one can be taken back without the other. OpenStack's S3 keys carry the
# rights of the user who makes them on the whole project, not on a prefix: run Terraform as a user with the member role in a
# project that holds nothing else (docs/infrastructure.md, "Threat model"). The secret lies in the state.

locals {
  bucket_credentials = {
    for purpose in local.bucket_purposes : purpose => {
      prefix            = "${purpose}/"
      access_key_id     = openstack_identity_ec2_credential_v3.bucket[purpose].access
      secret_access_key = openstack_identity_ec2_credential_v3.bucket[purpose].secret
    }
  }
}

resource "openstack_identity_ec2_credential_v3" "bucket" {
  for_each = local.bucket_purposes
}
