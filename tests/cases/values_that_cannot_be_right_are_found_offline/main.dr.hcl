recovery "shop" {}

variable "secret_key" {
  sensitive = true
  default   = "given"
}

variable "when" {
  default = "yesterday"
}

provider "kubernetes" "site" {
  kubeconfig      = command.site.outputs.kubeconfig
  kubeconfig_path = "kubeconfig"
  requests_max    = 0
}

provider "kubernetes" "none" {
  request_timeout = "0s"
}

provider "postgres" "site" {
  connection      = command.site.outputs.database
  connect_timeout = "0s"
}

provider "s3" "backups" {
  secret_key   = var.secret_key
  endpoint     = "s3.shop.example"
  requests_max = 65
}

provider "route53" "zone" {
  access_key = "AKIDSHOP"
}

provider "http" "shop" {
  ca      = "ca.pem"
  timeout = "0s"
}

resource "command" "site" {
  check          = ["./site.sh", "is-up"]
  apply          = []
  on_interrupted = "manual"
  outputs = {
    kubeconfig = { file = "kubeconfig", sensitive = true }
    database   = { stdout = true, sensitive = true }
  }
}

resource "kubernetes_cluster" "site" {
  provider        = kubernetes.site
  min_ready_nodes = 1.5
  min_version     = "newest"
  storage_classes = ["Fast"]
  cluster_uid     = "a"
  not_cluster_uid = "a"
}

resource "kubernetes_manifest" "platform" {
  provider  = kubernetes.site
  namespace = "Shop"
  objects   = [{ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x" } }]
}

resource "kubernetes_pause" "old" {
  provider = kubernetes.site
  guards   = [velero_restore.apps]
  objects  = ["Pod", "CronJob/shop"]
  expires  = "0s"
}

resource "kubernetes_release" "old" {
  provider = kubernetes.site
  objects  = ["DaemonSet"]
}

resource "helm_release" "gateway" {
  provider     = kubernetes.site
  namespace    = "ingress/x"
  name         = "Gateway"
  repository   = "charts.example"
  values       = command.site.outputs
  wait_timeout = "0s"
}

data "velero_backup" "apps" {
  bucket      = "s3://shop-backups"
  schedule    = "apps-daily"
  name_prefix = "apps"
  before      = var.when
}

resource "velero_backup_location" "apps" {
  provider   = kubernetes.site
  bucket     = "shop-backups/velero"
  name       = "Backups"
  namespace  = "-velero"
  credential = { name = "Cloud", key = "a b" }
}

# The backup is not known offline; what stands beside it is.
resource "velero_restore" "apps" {
  provider           = kubernetes.site
  stage              = "apps"
  backup             = data.velero_backup.apps
  namespaces         = ["shop", "shop-*"]
  exclude_namespaces = ["Shop"]
  namespace_map      = { shop = "shop_2" }
  kinds              = ["Deploymnet", "apps/v1/Deployment", "certificates.cert-manager.io"]
  exclude_kinds      = ["secret s"]
  storage_class_map  = { gp2 = "Fast" }
  image_map          = { "old.example/*" = "new.example" }
  born_paused        = ["DaemonSet"]
  location           = "Backups"
}

data "dump_archive" "shop" {
  bucket = "shop-backups"
  prefix = "dumps/shop"
  key    = "dumps/shop/1.dump"
  before = "2026-02-30T00:00:00Z"
}

resource "postgres_restore" "shop" {
  database = "template1"
  dump     = data.dump_archive.shop
  jobs     = 65
  owner    = ""
  alive    = { sql = " " }
}

resource "route53_record" "www" {
  zone           = "shop.example"
  name           = "www.other.example."
  type           = "A"
  records        = ["lb.shop.example"]
  ttl            = -1
  weight         = 256
  failover       = "PRIMARY"
  alias          = { name = "lb..example", zone_id = "Z" }
  set_identifier = " "
}

resource "http_check" "shop" {
  url          = "http://shop.example/"
  status       = [200, 99]
  body_matches = "("
  tls          = { min_days_left = 1.5 }
  within       = "0s"
  interval     = "0s"
}

resource "approval" "cutover" {
  guards = [route53_record.www]
  from   = ""
}
