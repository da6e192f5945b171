provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "missing" {
  files = ["manifests/platfrom.yaml"]
}

resource "kubernetes_manifest" "outside" {
  files = ["../secret.yaml"]
}
