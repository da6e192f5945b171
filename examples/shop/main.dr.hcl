# What must be true of a small shop after its cluster is gone, and where every part comes back from.
#
# Site A has burnt down. What is left of it lies in one bucket: two Velero backups and two database
# dumps. Site B is empty racks. This file says what has to hold in the end; drplan looks at what
# holds already, does the rest in the right order, and proves each part.
#
#     drplan rehearse examples/shop      the whole recovery, in a world inside of drplan
#
# Read from top to bottom it goes from the bare site to the moment when customers are led to it. The
# order of the blocks means nothing, though: it follows from what refers to what, and from stages.

recovery "shop" {
  rpo = "24h" # the most that may be lost: every backup older than this is reported
  rto = "1h"  # how long it may take until the shop sells again
  contacts = {
    oncall = "+00 0000"
    dba    = "dba@shop.example"
  }
}

# ---- what is not in this file
#
# Secrets never stand in a spec. Given as DRPLAN_VAR_NAME they end in no plan, no log and no report.

variable "backups_secret_key" { sensitive = true }
variable "velero_secret_key" { sensitive = true }
variable "dns_secret_key" { sensitive = true }

# The halves of those keys that are no secret. The first may only read the bucket; Velero's may write
# to it, because it leaves there how its restores went.
variable "backups_access_key" { default = "AKIDSHOPREADER" }
variable "velero_access_key" { default = "AKIDSHOPVELERO" }
variable "dns_access_key" { default = "AKIDSHOPDNS" }

variable "bucket" { default = "shop-backups" }
variable "old_address" {
  description = "Where www.shop.example points to while site A lives"
  default     = "192.0.2.10"
}

# ---- where things are

# Site A. `--lost cluster:a` says that it is gone: then nothing asks it, and nothing waits for it.
provider "kubernetes" "a" {
  kubeconfig_path = "a.kubeconfig"
  failure_domain  = ["cluster:a"]
}

# Site B. It has no kubeconfig yet: that comes out of a step. Until then everything on it is planned
# against an empty cluster.
provider "kubernetes" "b" {
  kubeconfig     = command.cluster.outputs.kubeconfig
  failure_domain = ["cluster:b"]
}

provider "postgres" "b" {
  connection     = command.database_server.outputs.url
  failure_domain = ["cluster:b"]
}

provider "s3" "backups" {
  region         = "eu-west-1"
  access_key     = var.backups_access_key
  secret_key     = var.backups_secret_key
  failure_domain = ["region:eu-west-1"]
}

provider "route53" "dns" {
  access_key = var.dns_access_key
  secret_key = var.dns_secret_key
}

# ---- the backups
#
# They are opened while planning. The plan therefore names what each really holds, and how old it is.

data "velero_backup" "infra" {
  provider = s3.backups
  bucket   = var.bucket
  prefix   = "velero"
  schedule = "infra-daily"
}

data "velero_backup" "apps" {
  provider = s3.backups
  bucket   = var.bucket
  prefix   = "velero"
  schedule = "apps-daily"
}

data "dump_archive" "shop" {
  provider = s3.backups
  bucket   = var.bucket
  prefix   = "dumps/shop/"
}

data "dump_archive" "billing" {
  provider = s3.backups
  bucket   = var.bucket
  prefix   = "dumps/billing/"
}

# ---- site B, from nothing
#
# `bin/site` is the shop's own program. `check` says whether the work is done (0), is not done (1) or
# nobody knows (anything else); `apply` does it. So a second run does nothing twice.

resource "command" "cluster" {
  check   = ["bin/site", "is-up", "cluster"]
  apply   = ["bin/site", "up", "cluster"]
  outputs = { kubeconfig = { file = "out/kubeconfig", sensitive = true } }
  timeout = "20m"
}

resource "command" "database_server" {
  check   = ["bin/site", "is-up", "database"]
  apply   = ["bin/site", "up", "database"]
  outputs = { url = { file = "out/database.url", sensitive = true } }
  timeout = "20m"
}

# An API server that answers is not yet a cluster that can take work. And a kubeconfig that by
# mistake leads to A must not pass for B: hence the uid that it must not have.
resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  not_cluster_uid = "195736d3-b836-4b31-a82f-2df10f5eb82c"
  min_ready_nodes = 3
  min_version     = "1.33"
  storage_classes = ["standard"]
}

# ---- Velero, which puts the backups back

resource "kubernetes_manifest" "velero_kinds" {
  provider   = kubernetes.b
  stage      = "velero"
  files      = ["velero/crds.yaml", "velero/namespace.yaml"]
  depends_on = [kubernetes_cluster.b]
}

# A Secret is made of a sensitive variable; its value is put in at the last moment.
resource "kubernetes_manifest" "velero_key" {
  provider = kubernetes.b
  stage    = "velero"
  objects = [{
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = { name = "bucket-key", namespace = "velero" }
    stringData = {
      cloud = <<-EOT
        [default]
        aws_access_key_id=${var.velero_access_key}
        aws_secret_access_key=${var.velero_secret_key}
      EOT
    }
  }]
}

resource "kubernetes_manifest" "velero" {
  provider   = kubernetes.b
  stage      = "velero"
  files      = ["velero/server.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_manifest.velero_key]
}

# Always made read-only: a fresh Velero with a writable location deletes what has expired.
resource "velero_backup_location" "backups" {
  provider   = kubernetes.b
  bucket     = var.bucket
  prefix     = "velero"
  config     = { region = "eu-west-1" }
  credential = { name = "bucket-key", key = "cloud" }
  depends_on = [kubernetes_manifest.velero]
}

# ---- what Git owns, and no backup therefore needs to hold

resource "kubernetes_manifest" "platform" {
  provider   = kubernetes.b
  files      = ["manifests/platform.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_cluster.b]
}

# "We are working on it": customers should see at least this as soon as there is a cluster.
resource "helm_release" "status_page" {
  provider         = kubernetes.b
  stage            = "infra"
  chart            = "charts/status-page"
  namespace        = "status"
  create_namespace = true
  values           = { replicas = 2, message = "The shop is moving. Orders are safe." }
  depends_on       = [kubernetes_cluster.b]
}

# ---- what the backups hold

# The shop's own kinds, rights and price check: whatever the applications need to be there first.
resource "velero_restore" "infra" {
  providers      = { cluster = kubernetes.b, bucket = s3.backups }
  stage          = "infra"
  backup         = data.velero_backup.infra
  cluster_scoped = true
  depends_on     = [velero_backup_location.backups]
}

# Each dump goes into a staging database, is counted, and only then renamed into place.
resource "postgres_restore" "shop" {
  providers = { database = postgres.b, bucket = s3.backups }
  database  = "shop"
  owner     = "shop"
  dump      = data.dump_archive.shop
}

resource "postgres_restore" "billing" {
  providers = { database = postgres.b, bucket = s3.backups }
  database  = "billing"
  owner     = "billing"
  dump      = data.dump_archive.billing
}

# The one claim of the shop holds thumbnails. Its bytes are in no backup, on purpose: the shop makes
# them again. Without `best_effort` drplan would refuse to lose them silently.
resource "velero_restore" "apps" {
  providers  = { cluster = kubernetes.b, bucket = s3.backups }
  stage      = "apps"
  backup     = data.velero_backup.apps
  volumes    = "best_effort"
  depends_on = [velero_backup_location.backups]
}

# Nice to have at three in the morning, no reason to stay closed: if it fails, it is reported, and
# everything else goes on.
resource "command" "search_index" {
  stage       = "apps"
  check       = ["bin/search", "is-filled"]
  apply       = ["bin/search", "fill"]
  criticality = "best_effort"
  timeout     = "15m"
  depends_on  = [velero_restore.apps]
}

# Nobody can know today which address B's load balancer will give out. The DNS record below refers to
# it all the same: the plan shows a hole there, and says which step fills it.
resource "command" "frontend_address" {
  stage      = "apps"
  check      = ["bin/site", "address", "shop/frontend"]
  apply      = ["bin/site", "await-address", "shop/frontend"]
  outputs    = { ip = { stdout = true } }
  depends_on = [velero_restore.apps]
}

# ---- is it true?
#
# Traffic does not move before all of these hold.

check "no_order_is_missing" {
  assert {
    condition     = length(postgres_restore.shop.rows) == length(data.dump_archive.shop.tables)
    error_message = "the shop's database has not the tables of its dump"
  }
  assert {
    condition     = postgres_restore.shop.rows["public.orders"] > 0
    error_message = "there are no orders"
  }
}

check "every_order_has_its_invoice" {
  assert {
    condition     = postgres_restore.billing.rows["public.invoices"] == postgres_restore.shop.rows["public.orders"]
    error_message = "${postgres_restore.shop.rows["public.orders"]} orders, but ${postgres_restore.billing.rows["public.invoices"]} invoices: were the two dumps taken together?"
  }
}

# Asks the new site under the shop's name, before the name leads there.
resource "http_check" "frontend" {
  url          = "http://www.shop.example/healthz"
  via          = "${command.frontend_address.outputs.ip}:80"
  body_matches = "^ok"
  within       = "5m"
}

# ---- the point of no easy return

# Guards act only around what they guard: on a day on which DNS need not move, nobody is asked and
# nothing is stopped.
resource "approval" "cutover" {
  guards = [route53_record.www]
  from   = "the shop's owner"
  text   = "Shall www.shop.example lead to site B?"
}

# If A is not quite as dead as it looked, it must at least not sell anything any more.
resource "command" "stop_site_a" {
  apply  = ["bin/site", "stop", "a"]
  guards = [route53_record.www]
}

# Whatever the record holds beside A's address is somebody else's doing, and a conflict.
resource "route53_record" "www" {
  provider = route53.dns
  zone     = "shop.example"
  name     = "www"
  type     = "A"
  ttl      = 60
  records  = [command.frontend_address.outputs.ip]
  replaces = [var.old_address]
}

# The same question once more, now the way that customers come.
resource "http_check" "www" {
  url          = "http://www.shop.example/healthz"
  body_matches = "^ok"
  within       = "5m"
  depends_on   = [route53_record.www]
}

output "www" {
  value       = "${route53_record.www.fqdn} leads to ${command.frontend_address.outputs.ip}"
  description = "Where the shop is now"
}

output "rows" {
  value       = { shop = postgres_restore.shop.rows, billing = postgres_restore.billing.rows }
  description = "What came back into the databases"
}
