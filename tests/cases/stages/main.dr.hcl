provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

provider "s3" "backups" {
  region = "eu-west-1"
}

data "velero_backup" "infra" {
  bucket = "shop-dr"
}

resource "velero_restore" "infra" {
  backup = data.velero_backup.infra
}

resource "command" "early" {
  stage = "databse"
  check = ["true"]
  apply = ["true"]
}

resource "command" "late" {
  stage = "apps"
  check = ["true"]
  apply = ["true"]
}

resource "command" "before" {
  stage      = "infra"
  check      = ["true"]
  apply      = ["true"]
  depends_on = [command.late]
}
