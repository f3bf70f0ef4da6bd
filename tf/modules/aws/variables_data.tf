# The interface, continued: disks and bucket. This file is the same in every module under tf/modules.

variable "root_disk_gb" {
  description = "System disk of each node in GB; it's replaced with its node."
  type        = number
  default     = 60
  nullable    = false
  validation {
    condition     = var.root_disk_gb >= 30 && var.root_disk_gb <= 1000 && floor(var.root_disk_gb) == var.root_disk_gb
    error_message = "root_disk_gb is a whole number from 30 to 1000: container images alone take 20 GB."
  }
}

variable "server_data_gb" {
  description = "Data volume of each server in GB (etcd, and pods' volumes where there are no agents); it survives its node."
  type        = number
  default     = 100
  nullable    = false
  validation {
    condition     = var.server_data_gb >= 20 && var.server_data_gb <= 16000 && floor(var.server_data_gb) == var.server_data_gb
    error_message = "server_data_gb is a whole number from 20 to 16000."
  }
}

variable "agent_data_gb" {
  description = "Data volume of each agent in GB (database, films where no bucket is used); it survives its node."
  type        = number
  default     = 200
  nullable    = false
  validation {
    condition     = var.agent_data_gb >= 20 && var.agent_data_gb <= 16000 && floor(var.agent_data_gb) == var.agent_data_gb
    error_message = "agent_data_gb is a whole number from 20 to 16000."
  }
}

variable "gpu_agent_data_gb" {
  description = "Data volume of each GPU agent in GB (training data, caches); it survives its node."
  type        = number
  default     = 200
  nullable    = false
  validation {
    condition     = var.gpu_agent_data_gb >= 20 && var.gpu_agent_data_gb <= 16000 && floor(var.gpu_agent_data_gb) == var.gpu_agent_data_gb
    error_message = "gpu_agent_data_gb is a whole number from 20 to 16000."
  }
}

variable "volume_type" {
  description = "Type of the data volumes. Empty: gp3 on AWS, the cloud's default on OpenStack, where the operator's encrypted type must be named for encryption."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{0,60}$", var.volume_type))
    error_message = "volume_type is a type's name: letters, digits, . _ -."
  }
}

# ---------------------------------------------------------------- bucket

variable "bucket_name" {
  description = "Name of the bucket for films, releases and backups. Empty: the cluster's name and the account's (project's) id."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.bucket_name == "" || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 characters: a to z, 0 to 9 and -, no - at an end; a dot would break TLS names."
  }
}

variable "bucket_endpoint" {
  description = "URL of the S3 service, for the inventory. AWS: leave it empty. OpenStack: the cloud's S3 endpoint, https only."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.bucket_endpoint == "" || can(regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$", var.bucket_endpoint))
    error_message = "bucket_endpoint is an https:// URL without user, password or query."
  }
}

variable "bucket_noncurrent_days" {
  description = "Days for which a deleted or overwritten object can still be brought back."
  type        = number
  default     = 90
  nullable    = false
  validation {
    condition     = var.bucket_noncurrent_days >= 7 && var.bucket_noncurrent_days <= 3650 && floor(var.bucket_noncurrent_days) == var.bucket_noncurrent_days
    error_message = "bucket_noncurrent_days is a whole number from 7 to 3650: less than a week leaves no time to notice."
  }
}
