variable "count" { default = "many" }

locals {
  words = { a = 1 }
}

resource "command" "site" {
  check = local.words
  apply = ["true"]
}

resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  min_ready_nodes = var.count
}

provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}
