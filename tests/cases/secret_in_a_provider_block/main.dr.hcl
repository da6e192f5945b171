provider "s3" "backups" {
  access_key = "key"
  secret_key = "in-plain-sight"
}

provider "kubernetes" "b" {
  kubeconfig = file("kubeconfig")
}

data "velero_backup" "infra" {
  bucket = "shop-dr"
}

resource "kubernetes_cluster" "b" {}
