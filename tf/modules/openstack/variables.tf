# The interface. This file is the same in every module under tf/modules; tests/infra/test_interface.py compares them.
# An empty flavour, image or volume type stands for the module's own default, in defaults.tf.

variable "name" {
  description = "Name of the cluster: the prefix of every name, and a tag on everything."
  type        = string
  default     = "hilum"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "name has 2 to 20 characters: a to z, 0 to 9 and -, a letter first, no - at the end; load balancers and buckets take no other."
  }
}

variable "tags" {
  description = "Tags for everything, beside project, cluster and managed-by, which the module sets."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = length(setintersection(keys(var.tags), ["project", "cluster", "managed-by", "Name"])) == 0
    error_message = "tags can't hold project, cluster, managed-by or Name: the module sets them."
  }
  validation {
    condition     = alltrue([for key, value in var.tags : can(regex("^[A-Za-z0-9_.:+@-]{1,60}$", key)) && can(regex("^[A-Za-z0-9 _.:+=@-]{0,120}$", value))])
    error_message = "a tag's name has 1 to 60 and its value at most 120 characters: letters, digits and _ . : + @ -."
  }
}

variable "running" {
  description = "False takes down nodes, load balancers and outbound addresses and keeps data volumes, bucket, keys and network; true again brings the nodes back to the same volumes."
  type        = bool
  default     = true
  nullable    = false
}

# ---------------------------------------------------------------- network

variable "network_cidr" {
  description = "Private IPv4 network of the cluster, /16 to /20; it's cut into 16 subnets: the first for nodes, from the ninth on for public addresses."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false
  validation {
    condition = can(cidrnetmask(var.network_cidr)) && try(
      cidrhost(var.network_cidr, 0) == split("/", var.network_cidr)[0]
      && tonumber(split("/", var.network_cidr)[1]) >= 16 && tonumber(split("/", var.network_cidr)[1]) <= 20, false
    )
    error_message = "network_cidr is an IPv4 network written from its first address, /16 to /20, for example 10.40.0.0/16."
  }
  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.network_cidr))
    error_message = "network_cidr is a private network (10/8, 172.16/12 or 192.168/16)."
  }
  validation {
    condition     = !can(regex("^10\\.4[23]\\.", var.network_cidr))
    error_message = "network_cidr overlaps 10.42.0.0/16 or 10.43.0.0/16, where K3s puts pods and services; take 10.40.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, one to three; nodes take turns over them. Empty: AWS's first three of the region, OpenStack's own choice. Name them in production: a changed order moves nodes."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = length(var.zones) <= 3 && length(distinct(var.zones)) == length(var.zones) && alltrue([for zone in var.zones : length(zone) > 0])
    error_message = "zones holds at most three different names, none of them empty."
  }
}

variable "external_network" {
  description = "OpenStack: name of the network that gives floating IPs; empty: the only external one. AWS has no such thing: leave it empty."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = length(var.external_network) <= 255
    error_message = "external_network is a name of at most 255 characters."
  }
}

variable "admin_cidrs" {
  description = "IPv4 networks from which administrators may use SSH. Empty: nobody."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 16, false)])
    error_message = "admin_cidrs holds IPv4 networks of /16 or smaller: SSH is never open to everyone. Give your own range, for example 203.0.113.0/24."
  }
}

variable "web_cidrs" {
  description = "IPv4 networks from which browsers may reach 80 and 443. Empty: nobody."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for cidr in var.web_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "web_cidrs holds IPv4 networks of /8 or smaller: it's an allow list of hospital networks, never everyone."
  }
}

variable "dicom_cidrs" {
  description = "IPv4 networks of the DICOM senders that may reach 11112, and to which nodes may send (104, 11112). Empty: nobody."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for cidr in var.dicom_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "dicom_cidrs holds IPv4 networks of /8 or smaller: DICOM has no password, so the allow list is its door. Give the modalities' and the PACS's own ranges."
  }
}

variable "egress_cidrs" {
  description = "IPv4 networks that nodes may reach on 80 and 443 (packages, images, Git). Empty: a closed network, no outbound address at all."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false
  validation {
    condition     = alltrue([for cidr in var.egress_cidrs : can(cidrnetmask(cidr))])
    error_message = "egress_cidrs holds IPv4 networks, for example 0.0.0.0/0 or the mirror's own 192.0.2.10/32."
  }
}

variable "entry" {
  description = "How browsers and DICOM senders come in: load_balancer, floating_ip (one address on one node) or none (by VPN or peering straight to the nodes)."
  type        = string
  default     = "load_balancer"
  nullable    = false
  validation {
    condition     = contains(["load_balancer", "floating_ip", "none"], var.entry)
    error_message = "entry is load_balancer, floating_ip or none."
  }
}

variable "bastion" {
  description = "True: SSH goes through a small bastion with a public address. False: admin_cidrs reach the nodes' SSH directly, by VPN or peering."
  type        = bool
  default     = true
  nullable    = false
}

# ---------------------------------------------------------------- nodes

variable "ssh_public_key" {
  description = "Public key of the administrator, one line (ssh-keygen -t ed25519). Without one no node could be reached, so nothing is made."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,}={0,2}( [^\\n]*)?\\n?$", var.ssh_public_key))
    error_message = "ssh_public_key is missing or is no public key. Make one with `ssh-keygen -t ed25519 -f hilum` and give the content of hilum.pub (never the file without .pub)."
  }
}

variable "ssh_user" {
  description = "User that the image gives the key to. Empty: the module's default image's user."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.ssh_user == "" || (can(regex("^[a-z_][a-z0-9_-]{0,31}$", var.ssh_user)) && var.ssh_user != "root")
    error_message = "ssh_user is a Linux user name, and not root."
  }
}

variable "image" {
  description = "Image of the nodes (x86-64 Debian or Ubuntu): an AMI id on AWS, an image name on OpenStack. Empty: the module's default. A newer image changes no running node."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = length(var.image) <= 255
    error_message = "image is an AMI id or an image name."
  }
}

variable "server_count" {
  description = "K3s servers: 1, or 3 for a cluster that outlives the loss of one."
  type        = number
  default     = 1
  nullable    = false
  validation {
    condition     = contains([1, 3], var.server_count)
    error_message = "server_count is 1 or 3: etcd needs a majority, so 2 servers fail sooner than 1, and 5 cost more than they give here."
  }
}

variable "server_flavour" {
  description = "Flavour (instance type) of the servers, at least 2 vCPU and 8 GiB. Empty: the module's default."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{0,60}$", var.server_flavour))
    error_message = "server_flavour is a flavour's name: letters, digits, . _ -."
  }
}

variable "agent_count" {
  description = "K3s agents without a GPU. 0: the servers carry the work."
  type        = number
  default     = 0
  nullable    = false
  validation {
    condition     = var.agent_count >= 0 && var.agent_count <= 90 && floor(var.agent_count) == var.agent_count
    error_message = "agent_count is a whole number from 0 to 90."
  }
}

variable "agent_flavour" {
  description = "Flavour (instance type) of the agents. Empty: the module's default."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{0,60}$", var.agent_flavour))
    error_message = "agent_flavour is a flavour's name: letters, digits, . _ -."
  }
}

variable "gpu_agent_count" {
  description = "K3s agents with a GPU, for training and fast inference. 0: everything runs on CPUs."
  type        = number
  default     = 0
  nullable    = false
  validation {
    condition     = var.gpu_agent_count >= 0 && var.gpu_agent_count <= 50 && floor(var.gpu_agent_count) == var.gpu_agent_count
    error_message = "gpu_agent_count is a whole number from 0 to 50."
  }
}

variable "gpu_agent_flavour" {
  description = "Flavour (instance type) of the GPU agents. Empty: the module's default on AWS; on OpenStack there is none, because every cloud names its own."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{0,60}$", var.gpu_agent_flavour))
    error_message = "gpu_agent_flavour is a flavour's name: letters, digits, . _ -."
  }
}
