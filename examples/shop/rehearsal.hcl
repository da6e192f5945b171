# The world in which `drplan rehearse examples/shop` runs: what is there when the recovery begins, and
# what stands in for the programs that the spec runs. Nothing in it leaves the process.

# Ten past three at night, eleven hours after the last backup.
start = "2026-11-21T03:10:00Z"
lost  = ["cluster:a"]

# Keys of this world only. They open nothing anywhere else.
variables = {
  backups_secret_key = "rehearsal-reader"
  velero_secret_key  = "rehearsal-velero"
  dns_secret_key     = "rehearsal-dns"
}

# ---- what outlived site A

# Real backups, made by real programs: see data/README.md. The folder is only read.
object_store {
  key "AKIDSHOPREADER" {
    secret    = "rehearsal-reader"
    read_only = true
  }
  key "AKIDSHOPVELERO" { secret = "rehearsal-velero" }
  bucket "shop-backups" { folder = "data/shop-backups" }
}

dns {
  key "AKIDSHOPDNS" { secret = "rehearsal-dns" }
  zone "shop.example" {
    record "www" {
      type   = "A"
      ttl    = 60
      values = ["192.0.2.10"]
    }
    record "mail" {
      type   = "A"
      ttl    = 3600
      values = ["192.0.2.25"]
    }
  }
}

# ---- what site B will be, once something starts it

cluster "b" {
  server    = "https://b.shop.example:6443"
  version   = "v1.35.4"
  nodes     = 3
  velero    = true
  storage_class "standard" { default = true }
}

postgres "b" {
  address  = "db.b.shop.example:5432"
  version  = "17"
  user     = "restore"
  password = "rehearsal-database"
  roles    = ["shop", "billing"]
}

# What the Pods behind this Service answer, as soon as they are ready.
page "shop/frontend" {
  status = 200
  body   = "ok"
}

# ---- what stands in for the shop's own programs

program "bin/site" {
  args    = ["is-up", "cluster"]
  true_if = ["cluster.b"]
}

program "bin/site" {
  args   = ["up", "cluster"]
  takes  = "8m"
  starts = ["cluster.b"]
  files  = { "out/kubeconfig" = { kubeconfig = "b" } }
}

program "bin/site" {
  args    = ["is-up", "database"]
  true_if = ["postgres.b"]
}

program "bin/site" {
  args   = ["up", "database"]
  takes  = "3m"
  starts = ["postgres.b"]
  files  = { "out/database.url" = { postgres = "b" } }
}

# Prints the address that cluster `b` gave to this Service; ends with 1 while there is none.
program "bin/site" {
  args       = ["address", "shop/frontend"]
  address_of = "b/shop/frontend"
}

program "bin/site" {
  args       = ["await-address", "shop/frontend"]
  address_of = "b/shop/frontend"
  within     = "5m"
}

program "bin/site" {
  args   = ["stop", "a"]
  takes  = "20s"
  stdout = "site A does not answer; its power is off\n"
}

# Tonight the search does not come back. It is best effort: the shop opens without it.
program "bin/search" {
  args = ["is-filled"]
  exit = 1
}

program "bin/search" {
  args   = ["fill"]
  takes  = "90s"
  stderr = "the crawler has no licence for this site\n"
  exit   = 1
}
