# A small recovery for simulated runs: every way in which drplan changes something, except restores.

recovery "site" {
  rto = "1h"
}

variable "dns_secret_key" { sensitive = true }

provider "kubernetes" "b" {
  kubeconfig     = command.cluster.outputs.kubeconfig
  failure_domain = ["cluster:b"]
}

provider "route53" "dns" {
  access_key = "AKIDSITEDNS"
  secret_key = var.dns_secret_key
}

resource "command" "cluster" {
  check   = ["bin/site", "is-up"]
  apply   = ["bin/site", "up"]
  outputs = { kubeconfig = { file = "out/kubeconfig", sensitive = true } }
  timeout = "20m"
}

resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  min_ready_nodes = 2
}

resource "kubernetes_manifest" "kinds" {
  provider   = kubernetes.b
  files      = ["manifests/kinds.yaml"]
  wait_for   = "ready"
  timeout    = "1m"
  depends_on = [kubernetes_cluster.b]
}

resource "helm_release" "status_page" {
  provider         = kubernetes.b
  stage            = "infra"
  chart            = "charts/status-page"
  namespace        = "status"
  create_namespace = true
  values           = { replicas = 2, message = "The site is moving." }
  depends_on       = [kubernetes_cluster.b]
}

# Customers hear nothing of the site until it is checked.
resource "kubernetes_pause" "status_page" {
  provider = kubernetes.b
  objects  = ["Deployment/status/*"]
  guards   = [kubernetes_manifest.web]
}

resource "kubernetes_manifest" "web" {
  provider   = kubernetes.b
  stage      = "apps"
  files      = ["manifests/web.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_manifest.kinds]
}

resource "command" "search_index" {
  stage       = "apps"
  check       = ["bin/search", "is-filled"]
  apply       = ["bin/search", "fill"]
  criticality = "best_effort"
  depends_on  = [kubernetes_manifest.web]
}

# Says that it is done, and is not.
resource "command" "thumbnails" {
  stage       = "apps"
  check       = ["bin/search", "are-drawn"]
  apply       = ["bin/search", "draw"]
  criticality = "best_effort"
  depends_on  = [kubernetes_manifest.web]
}

# Has time for some patience, and not for all of it.
resource "command" "web_address" {
  stage      = "apps"
  timeout    = "1m"
  check      = ["bin/site", "address"]
  apply      = ["bin/site", "await-address"]
  outputs    = { ip = { stdout = true } }
  depends_on = [kubernetes_manifest.web]
}

check "an_address_was_given" {
  assert {
    condition     = length(command.web_address.outputs.ip) > 6
    error_message = "the load balancer has no address"
  }
}

resource "http_check" "web" {
  url          = "http://www.site.example/"
  via          = "${command.web_address.outputs.ip}:80"
  body_matches = "^ok"
  within       = "5m"
}

resource "kubernetes_release" "status_page" {
  provider   = kubernetes.b
  depends_on = [http_check.web]
}

resource "approval" "cutover" {
  guards = [route53_record.www]
  from   = "the owner"
  text   = "Shall www.site.example lead to site B?"
}

resource "command" "stop_site_a" {
  apply  = ["bin/site", "stop", "a"]
  guards = [route53_record.www]
}

resource "route53_record" "www" {
  provider = route53.dns
  zone     = "site.example"
  name     = "www"
  type     = "A"
  ttl      = 60
  records  = [command.web_address.outputs.ip]
  replaces = ["192.0.2.10"]
}

resource "http_check" "www" {
  url          = "http://www.site.example/"
  body_matches = "^ok"
  within       = "5m"
  depends_on   = [route53_record.www]
}
