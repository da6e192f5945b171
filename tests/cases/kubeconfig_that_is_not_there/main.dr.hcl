provider "kubernetes" "b" {
  kubeconfig_path = "kubecnfig"
}

resource "kubernetes_cluster" "b" {
}
