recovery "shop" {
  rp0 = "1h"
}

variabel "x" {}

provider "kubernets" "a" {
  kubeconfig_path = "kubeconfig"
}

provider "s3" "backups" {
  regoin = "eu-west-1"
}

resource "comand" "site" {
  apply = ["true"]
}

resource "command" "two" {
  chek  = ["true"]
  apply = ["true"]
  outputs = {
    a = { fiel = "a" }
  }
}

data "velero_bakcup" "infra" {
  bucket = "b"
}

locals {
  a = jion(",", ["a"])
  b = completely_different("a")
}

output "a" { value = local.a }
output "b" { value = local.b }
