# What differs from person to person and from day to day; the rest stands in main.tf. The module checks the values.

variable "region" {
  description = "OpenStack region; empty: OS_REGION_NAME."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9@._-]{0,60}$", var.region))
    error_message = "region is a region's name as `openstack region list` shows it."
  }
}

variable "external_network" {
  description = "Network that gives floating IPs, by name; empty: the only external one."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = length(var.external_network) <= 255
    error_message = "external_network is a name of at most 255 characters."
  }
}

variable "bucket_endpoint" {
  description = "URL of the cloud's S3 service (`openstack catalog show object-store` or the operator says it); the module asks for it."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.bucket_endpoint == "" || startswith(var.bucket_endpoint, "https://")
    error_message = "bucket_endpoint is an https:// URL."
  }
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  default     = "hilum"
  nullable    = false
  validation {
    condition     = length(var.name) >= 2
    error_message = "name has 2 to 20 characters."
  }
}

variable "running" {
  description = "False takes the nodes down and keeps the data."
  type        = bool
  default     = true
  nullable    = false
}

variable "zones" {
  description = "Availability zones; name them in production."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = length(var.zones) <= 3
    error_message = "zones holds at most three names."
  }
}

variable "image" {
  description = "Image of the nodes; empty: the module's default."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = length(var.image) <= 255
    error_message = "image is an AMI id or an image name."
  }
}

variable "ssh_public_key" {
  description = "Your public key, one line."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = length(var.ssh_public_key) > 0
    error_message = "ssh_public_key is missing. Make one with `ssh-keygen -t ed25519 -f hilum` and put the content of hilum.pub into terraform.tfvars."
  }
}

variable "admin_cidrs" {
  description = "Networks from which you use SSH."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = !contains(var.admin_cidrs, "0.0.0.0/0")
    error_message = "admin_cidrs never holds everyone."
  }
}

variable "web_cidrs" {
  description = "Networks of the browsers."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = !contains(var.web_cidrs, "0.0.0.0/0")
    error_message = "web_cidrs never holds everyone."
  }
}

variable "dicom_cidrs" {
  description = "Networks of the DICOM senders."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = !contains(var.dicom_cidrs, "0.0.0.0/0")
    error_message = "dicom_cidrs never holds everyone."
  }
}
