provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "broken" {
  files = ["broken.yaml"]
}

resource "kubernetes_manifest" "nameless" {
  content = "apiVersion: v1\nkind: ConfigMap\n"
}
