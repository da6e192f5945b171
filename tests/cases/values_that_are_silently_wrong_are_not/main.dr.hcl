variable "token" {
  sensitive = "yes"
}

variable "typed" {
  type    = strng
  default = "a"
}

recovery "shop" {
  contacts = ["dba"]
}

domain "cluster:a" {
  within = "region:west"
}

provider "kubernetes" "a" {
  kubeconfig_path = "kubeconfig"
  failure_domain  = "cluster:a"
}

resource "command" "site" {
  count    = 2
  read     = "later"
  check    = ["true"]
  apply    = ["true"]
}

resource "command" "twice" {
  check   = ["true"]
  apply   = ["true"]
  env     = { A = "1" }
  env {
    B = "2"
  }
}
