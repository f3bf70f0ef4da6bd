# Keys of access for pods, one pair per purpose. Each reaches its own prefix of this bucket, only through this network's
# endpoint: stolen keys are worth nothing elsewhere. The secret lies in the state, which is why the state is encrypted.

locals {
  bucket_credentials = {
    for purpose in local.bucket_purposes : purpose => {
      prefix            = "${purpose}/"
      access_key_id     = aws_iam_access_key.bucket[purpose].id
      secret_access_key = aws_iam_access_key.bucket[purpose].secret
    }
  }
}

resource "aws_iam_user" "bucket" {
  #checkov:skip=CKV_AWS_273:a service outside AWS's own platform (K3s) has no single sign-on; the keys are bound to one network and prefix
  for_each = local.bucket_purposes
  name     = "${var.name}-${each.key}"
  tags     = local.tags
}

resource "aws_iam_access_key" "bucket" {
  for_each = local.bucket_purposes
  user     = aws_iam_user.bucket[each.key].name
}

resource "aws_iam_user_policy" "bucket" {
  #checkov:skip=CKV_AWS_40:one user per purpose and one policy per user; a group of one would only hide who may what
  for_each = local.bucket_purposes
  name     = "bucket-prefix"
  user     = aws_iam_user.bucket[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnPrefix"
        Effect    = "Allow"
        Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource  = "${aws_s3_bucket.data.arn}/${each.key}/*"
        Condition = { StringEquals = { "aws:SourceVpce" = aws_vpc_endpoint.bucket.id } }
      },
      {
        Sid      = "ListOwnPrefix"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = aws_s3_bucket.data.arn
        Condition = {
          StringEquals = { "aws:SourceVpce" = aws_vpc_endpoint.bucket.id }
          # HeadBucket, by which /readyz asks whether the bucket is there, carries no prefix.
          StringLikeIfExists = { "s3:prefix" = "${each.key}/*" }
        }
      },
      {
        Sid       = "KeyThroughS3"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = aws_kms_key.data.arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      },
    ]
  })
}
