# A part of the shop comes back under another name and stands still until something is loaded. Site B
# lives.

recovery "born" {}

variable "site_dir" { description = "The folder that site B lives in" }
variable "bucket" { default = "shop-dr" }
variable "bucket_endpoint" {}
variable "bucket_access_key" { sensitive = true }
variable "bucket_secret_key" { sensitive = true }

provider "kubernetes" "b" {
  kubeconfig_path = "${var.site_dir}/drplan.kubeconfig"
}

provider "s3" "backups" {
  region     = "eu-west-1"
  endpoint   = var.bucket_endpoint
  access_key = var.bucket_access_key
  secret_key = var.bucket_secret_key
}

data "velero_backup" "apps" {
  provider    = s3.backups
  bucket      = var.bucket
  prefix      = "velero"
  name_prefix = "apps-"
}

resource "velero_restore" "web" {
  providers     = { cluster = kubernetes.b, bucket = s3.backups }
  stage         = "apps"
  backup        = data.velero_backup.apps
  namespaces    = ["shop-web"]
  namespace_map = { "shop-web" = "yard-web" }
  born_paused   = ["Deployment"]
}

resource "command" "load" {
  check      = ["test", "-e", "loaded"]
  apply      = ["sh", "load.sh"]
  timeout    = "2m"
  depends_on = [velero_restore.web]
}

resource "kubernetes_release" "web" {
  provider   = kubernetes.b
  depends_on = [command.load]
}
