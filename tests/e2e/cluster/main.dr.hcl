# One cluster that must be there. The tests point it at clusters that cannot be read.

recovery "cluster" {}

variable "kubeconfig" {}

provider "kubernetes" "site" {
  kubeconfig_path = var.kubeconfig
  failure_domain  = ["cluster:a"]
}

resource "kubernetes_cluster" "site" {
  provider = kubernetes.site
}

resource "kubernetes_manifest" "note" {
  provider = kubernetes.site
  content  = <<-YAML
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: note, namespace: default}
    data: {text: hello}
  YAML
}
