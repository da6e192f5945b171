# Uses every block of the language and every kind.

recovery "shop" {
  rpo      = "24h"
  rto      = "1h"
  ordering = "staged"
  contacts = { dba = "dba@shop.example" }
}

variable "bucket" { default = "shop-dr" }
variable "hosts" {
  type    = map(string)
  default = { www = "198.51.100.20", api = "198.51.100.21" }
}
variable "key" {
  sensitive = true
  default   = "canary"
}

locals {
  site  = ["./site.sh"]
  names = [for name, address in var.hosts : "${name}.shop.example" if address != ""]
  text  = <<-EOT
    hosts: ${join(", ", local.names)}
  EOT
}

domain "cluster:a" {
  within = ["region:west"]
}

scenario "region_loss" {
  lost = ["region:west"]
}

provider "kubernetes" "a" {
  kubeconfig_path = "a.kubeconfig"
  failure_domain  = ["cluster:a"]
}

provider "kubernetes" "b" {
  kubeconfig     = command.control_plane.outputs.kubeconfig
  failure_domain = ["cluster:b"]
}

provider "s3" "backups" {
  region     = "eu-west-1"
  endpoint   = "http://127.0.0.1:1"
  access_key = "key"
  secret_key = var.key
}

provider "postgres" "b" {
  connection = command.control_plane.outputs.url
}

provider "route53" "dns" {
  endpoint   = "http://127.0.0.1:1"
  access_key = "key"
  secret_key = var.key
}

provider "http" "b" {
  timeout = "5s"
}

resource "command" "control_plane" {
  check = concat(local.site, ["is-up"])
  apply = concat(local.site, ["up"])
  env   = { KEY = var.key, TEXT = local.text }
  outputs = {
    kubeconfig = { file = "out/kubeconfig", sensitive = true }
    url        = { file = "out/url", sensitive = true }
    address    = { stdout = true }
  }
  timeout = "5m"
}

resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  min_ready_nodes = 3
}

resource "kubernetes_manifest" "platform" {
  provider   = kubernetes.b
  files      = ["platform.yaml"]
  depends_on = [kubernetes_cluster.b]
}

resource "helm_release" "gateway" {
  provider         = kubernetes.b
  stage            = "infra"
  chart            = "chart"
  namespace        = "edge"
  create_namespace = true
  values           = { replicas = length(local.names) }
  depends_on       = [kubernetes_cluster.b]
}

resource "velero_backup_location" "backups" {
  provider = kubernetes.b
  bucket   = var.bucket
  config   = { region = "eu-west-1" }
}

data "velero_backup" "infra" {
  bucket      = var.bucket
  name_prefix = "infra-"
}

data "dump_archive" "shop" {
  bucket = var.bucket
  prefix = "dumps/"
}

resource "velero_restore" "infra" {
  providers      = { cluster = kubernetes.b, bucket = s3.backups }
  stage          = "infra"
  backup         = data.velero_backup.infra
  cluster_scoped = true
  depends_on     = [velero_backup_location.backups]
}

resource "postgres_restore" "shop" {
  database = "shop"
  dump     = data.dump_archive.shop
}

resource "command" "smoke" {
  apply       = ["./site.sh", "smoke"]
  guards      = [velero_restore.infra]
  criticality = "best_effort"
}

resource "http_check" "host" {
  for_each = var.hosts
  url      = "https://${each.key}.shop.example/"
  via      = each.value
}

check "the_rows_are_back" {
  severity = "warning"
  assert {
    condition     = postgres_restore.shop.rows["public.orders"] > 0
    error_message = "no orders in ${postgres_restore.shop.database}"
  }
}

resource "approval" "cutover" {
  guards = [route53_record.host]
  from   = "the shop's owner"
}

resource "route53_record" "host" {
  for_each = var.hosts
  zone     = "shop.example"
  name     = each.key
  type     = "A"
  records  = [each.value]
  ttl      = 60
}

output "hosts" {
  value = { for name, record in route53_record.host : name => record.fqdn }
}
