# The world of the simulated runs.

start = "2026-11-21T03:10:00Z"
variables = { dns_secret_key = "simulated-dns-key" }

dns {
  key "AKIDSITEDNS" { secret = "simulated-dns-key" }
  zone "site.example" {
    record "www" {
      type   = "A"
      values = ["192.0.2.10"]
    }
  }
}

cluster "b" {
  server = "https://b.site.example:6443"
  nodes  = 2
  storage_class "standard" { default = true }
}

page "web/front" { body = "ok" }

program "bin/site" {
  args    = ["is-up"]
  true_if = ["cluster.b"]
}

program "bin/site" {
  args   = ["up"]
  takes  = "8m"
  starts = ["cluster.b"]
  files  = { "out/kubeconfig" = { kubeconfig = "b" } }
}

program "bin/site" {
  args       = ["address"]
  address_of = "b/web/front"
}

program "bin/site" {
  args  = ["await-address"]
  takes = "30s"
}

program "bin/site" {
  args  = ["stop", "a"]
  takes = "20s"
}

program "bin/search" {
  args = ["is-filled"]
  exit = 1
}

program "bin/search" {
  args  = ["fill"]
  takes = "90s"
  exit  = 1
}

program "bin/search" {
  args = ["are-drawn"]
  exit = 1
}

program "bin/search" {
  args  = ["draw"]
  takes = "10s"
}
