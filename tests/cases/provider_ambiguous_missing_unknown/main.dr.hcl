provider "kubernetes" "a" {
  kubeconfig_path = "a"
}

provider "kubernetes" "b" {
  kubeconfig_path = "b"
}

resource "kubernetes_cluster" "which" {
}

resource "kubernetes_cluster" "typo" {
  provider = kubernetes.bb
}

resource "kubernetes_cluster" "wrong_system" {
  provider = s3.a
}

data "velero_backup" "none" {
  bucket = "b"
}

resource "command" "needs_none" {
  provider = kubernetes.a
  check    = ["true"]
  apply    = ["true"]
}

resource "velero_restore" "roles" {
  stage     = "infra"
  providers = { clutser = kubernetes.a }
  backup    = data.velero_backup.none
}
