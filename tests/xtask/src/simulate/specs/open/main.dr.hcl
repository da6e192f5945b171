# A recovery over a cluster of another process: what of the world `drplan rehearse --listen` opens.

recovery "open" {
  rto = "1h"
}

variable "kubeconfig" {}

# Where the programs of this spec leave what they made. It outlives drplan, and its folder.
variable "place" {}

provider "kubernetes" "b" { kubeconfig_path = var.kubeconfig }

resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  min_ready_nodes = 2
}

resource "command" "prepare" {
  check = ["test", "-e", "${var.place}/prepared"]
  apply = ["touch", "${var.place}/prepared"]
}

resource "kubernetes_manifest" "kinds" {
  provider   = kubernetes.b
  files      = ["manifests/kinds.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_cluster.b]
}

resource "kubernetes_manifest" "web" {
  provider   = kubernetes.b
  stage      = "apps"
  files      = ["manifests/web.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_manifest.kinds, command.prepare]
}

resource "command" "publish" {
  stage      = "apps"
  check      = ["test", "-e", "${var.place}/published"]
  apply      = ["sh", "-c", "sleep 0.2; touch ${var.place}/published"]
  depends_on = [kubernetes_manifest.web]
}

resource "kubernetes_manifest" "notice" {
  provider = kubernetes.b
  stage    = "apps"
  objects = [{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "notice", namespace = "web" }
    data       = { text = "we are back" }
  }]
  depends_on = [command.publish]
}
