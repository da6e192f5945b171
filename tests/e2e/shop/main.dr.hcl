# A small shop and what must be true of it after its cluster is gone.
#
# Site A is lost. Of site B nothing runs yet: the commands below start its control plane, its Velero
# and an empty PostgreSQL. Everything else comes out of one bucket.

recovery "shop" {
  rpo = "24h"
  rto = "1h"
  contacts = {
    oncall = "+00 0000"
    dba    = "dba@shop.example"
  }
}

variable "site_program" { description = "The program and its arguments that run a site: `PROGRAM site …`" }
variable "site_dir" { description = "The folder that site B lives in" }
variable "lost_cluster_uid" { description = "The uid of A's kube-system, which B must not have" }
variable "lost_kubeconfig" { description = "How A was reached while it lived" }
variable "helm" { default = "helm" }

variable "bucket" { default = "shop-dr" }
variable "bucket_endpoint" {}
variable "bucket_credentials_file" { description = "An AWS credentials file for Velero's server" }
variable "bucket_access_key" { sensitive = true }
variable "bucket_secret_key" { sensitive = true }
variable "apps_backup" { default = "apps-" }
variable "dumps" { default = "dumps/shop-" }

variable "dns_endpoint" {}
variable "dns_access_key" { sensitive = true }
variable "dns_secret_key" { sensitive = true }
variable "old_address" { default = "192.0.2.10" }
variable "new_address" { default = "198.51.100.20" }

# ---- where things are

provider "kubernetes" "a" {
  kubeconfig_path = var.lost_kubeconfig
  failure_domain  = ["cluster:a"]
}

provider "kubernetes" "b" {
  kubeconfig     = command.control_plane.outputs.kubeconfig
  failure_domain = ["cluster:b"]
}

provider "s3" "backups" {
  region     = "eu-west-1"
  endpoint   = var.bucket_endpoint
  access_key = var.bucket_access_key
  secret_key = var.bucket_secret_key
}

provider "postgres" "b" {
  connection = command.database.outputs.url
}

provider "route53" "dns" {
  endpoint   = var.dns_endpoint
  access_key = var.dns_access_key
  secret_key = var.dns_secret_key
}

provider "http" "b" {
  ca = command.control_plane.outputs.ca
}

# ---- site B, from nothing

locals {
  site = [var.site_program, "site"]
  b    = ["--dir", var.site_dir, "--name", "b", "--with"]
}

resource "command" "control_plane" {
  check = concat(local.site, ["is-up"], local.b, ["control-plane"])
  apply = concat(local.site, ["up"], local.b, ["control-plane"])
  outputs = {
    kubeconfig = { file = "${var.site_dir}/drplan.kubeconfig", sensitive = true }
    ca         = { file = "${var.site_dir}/pki/ca.crt" }
    address    = { stdout = true }
  }
  timeout = "5m"
}

resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  not_cluster_uid = var.lost_cluster_uid
  min_ready_nodes = 3
}

resource "command" "velero" {
  stage      = "velero"
  check      = concat(local.site, ["is-up"], local.b, ["velero"])
  apply      = concat(local.site, ["up"], local.b, ["velero"])
  env        = { AWS_SHARED_CREDENTIALS_FILE = var.bucket_credentials_file }
  depends_on = [kubernetes_cluster.b]
  timeout    = "5m"
}

resource "command" "database" {
  check   = concat(local.site, ["is-up"], local.b, ["postgres"])
  apply   = concat(local.site, ["up"], local.b, ["postgres"])
  outputs = { url = { file = "${var.site_dir}/postgres.url", sensitive = true } }
  timeout = "5m"
  # Both commands keep their books in one folder, one after the other.
  depends_on = [command.control_plane]
}

# ---- what Git owns: not in any backup

resource "kubernetes_manifest" "platform" {
  provider   = kubernetes.b
  files      = ["manifests/platform.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_cluster.b]
}

resource "helm_release" "gateway" {
  provider         = kubernetes.b
  stage            = "infra"
  chart            = "charts/gateway"
  namespace        = "edge"
  create_namespace = true
  values           = { replicas = 2 }
  helm             = var.helm
  depends_on       = [kubernetes_cluster.b]
}

# ---- what the backups hold

resource "velero_backup_location" "backups" {
  provider = kubernetes.b
  bucket   = var.bucket
  prefix   = "velero"
  config = {
    region           = "eu-west-1"
    s3ForcePathStyle = "true"
    s3Url            = var.bucket_endpoint
  }
  depends_on = [command.velero]
}

data "velero_backup" "infra" {
  provider    = s3.backups
  bucket      = var.bucket
  prefix      = "velero"
  name_prefix = "infra-"
}

data "velero_backup" "apps" {
  provider    = s3.backups
  bucket      = var.bucket
  prefix      = "velero"
  name_prefix = var.apps_backup
}

data "dump_archive" "shop" {
  provider = s3.backups
  bucket   = var.bucket
  prefix   = var.dumps
}

resource "velero_restore" "infra" {
  providers      = { cluster = kubernetes.b, bucket = s3.backups }
  stage          = "infra"
  backup         = data.velero_backup.infra
  cluster_scoped = true
  depends_on     = [velero_backup_location.backups]
}

resource "postgres_restore" "shop" {
  providers = { database = postgres.b, bucket = s3.backups }
  database  = "shop"
  dump      = data.dump_archive.shop
  jobs      = 2
}

resource "velero_restore" "apps" {
  providers  = { cluster = kubernetes.b, bucket = s3.backups }
  stage      = "apps"
  backup     = data.velero_backup.apps
  depends_on = [velero_backup_location.backups]
}

# ---- is it true?

check "every_table_of_the_dump_is_back" {
  assert {
    condition     = length(postgres_restore.shop.rows) == length(data.dump_archive.shop.tables)
    error_message = "the database has not the tables of the dump"
  }
  assert {
    condition     = postgres_restore.shop.rows["public.orders"] > 0
    error_message = "the orders table is empty"
  }
}

resource "http_check" "api" {
  provider     = http.b
  url          = "https://kubernetes.default.svc/readyz"
  via          = command.control_plane.outputs.address
  body_matches = "^ok$"
  within       = "1m"
  depends_on   = [velero_restore.apps]
}

# ---- the point of no easy return

resource "approval" "cutover" {
  guards = [route53_record.www]
  from   = "the shop's owner"
  text   = "Shall www.shop.example point to site B?"
}

resource "route53_record" "www" {
  provider = route53.dns
  zone     = "shop.example"
  name     = "www"
  type     = "A"
  records  = [var.new_address]
  ttl      = 60
  replaces = [var.old_address]
}

output "www" {
  value = route53_record.www.fqdn
}

output "rows" {
  value = postgres_restore.shop.rows
}
