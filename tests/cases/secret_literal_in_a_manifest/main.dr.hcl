provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "platform" {
  files = ["secret.yaml"]
}

resource "kubernetes_manifest" "inline" {
  objects = [{
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = { name = "db", namespace = "shop" }
    stringData = { password = "hunter2-inline" }
  }]
}
