provider "kubernetes" "b" {
  kubeconfig = local.kubeconfig
}

locals {
  kubeconfig = command.site.outputs.kubeconfig
}

resource "command" "site" {
  check      = ["true"]
  apply      = ["true"]
  outputs    = { kubeconfig = { file = "kubeconfig", sensitive = true } }
  depends_on = [kubernetes_cluster.b]
}

resource "kubernetes_cluster" "b" {
  provider = kubernetes.b
}
