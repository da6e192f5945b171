recovery "shop" {}

domain "cluster:west" {
  within = ["region:west"]
}

scenario "west_is_gone" {
  lost = ["region:west"]
}

provider "kubernetes" "site" {
  kubeconfig     = local.kubeconfig
  failure_domain = ["cluster:west"]
}

locals {
  kubeconfig = command.site.outputs.kubeconfig
}

# Alive today, and gone with its cluster.
resource "command" "site" {
  check   = ["true"]
  apply   = ["./site", "up"]
  outputs = { kubeconfig = { file = "kubeconfig", sensitive = true } }
}

resource "kubernetes_cluster" "site" {
  min_ready_nodes = 3
}

# A standby of another region is looked at for real.
resource "command" "standby" {
  check          = ["true"]
  apply          = ["./site", "standby"]
  failure_domain = ["region:east"]
}
