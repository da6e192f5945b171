variable "nodes" { default = "3" }

provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_cluster" "b" {
  min_ready_nodes = var.nodes
}

resource "command" "site" {
  check = ["test", "-e", 5, true, "${6}"]
  apply = ["touch", var.nodes]
}
