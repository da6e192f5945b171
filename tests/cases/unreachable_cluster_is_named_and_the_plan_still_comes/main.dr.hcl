recovery "shop" {}

provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_cluster" "b" {
}

resource "command" "after" {
  check      = ["test", "-e", "after"]
  apply      = ["touch", "after"]
  depends_on = [kubernetes_cluster.b]
}
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
