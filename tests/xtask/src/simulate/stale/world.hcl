# The world of every life of the staleness tables.

start = "2026-11-21T03:10:00Z"
variables = {
  database   = "postgres://restore:rehearsal-database@db.site.example:5432/postgres"
  bucket_key = "rehearsal-reader"
  velero_key = "rehearsal-velero"
  dns_key    = "rehearsal-dns"
}

object_store {
  key "AKIDREADER" {
    secret    = "rehearsal-reader"
    read_only = true
  }
  key "AKIDVELERO" { secret = "rehearsal-velero" }
  bucket "shop-backups" { folder = "BACKUPS" }
}

dns {
  key "AKIDDNS" { secret = "rehearsal-dns" }
  zone "site.example" {
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

cluster "b" {
  server  = "https://b.site.example:6443"
  nodes   = 2
  velero  = true
  running = true
  storage_class "standard" { default = true }
}

# Another cluster, to which a kubeconfig may lead by mistake.
cluster "c" {
  server  = "https://c.site.example:6443"
  nodes   = 2
  running = true
}

postgres "b" {
  address  = "db.site.example:5432"
  version  = "17"
  user     = "restore"
  password = "rehearsal-database"
  roles    = ["shop", "billing"]
  running  = true
}

# What servers do not need to be for: marks that programs set and take away.
postgres "mark" {
  address  = "mark.site.example:5432"
  user     = "nobody"
  password = "rehearsal-nobody"
}
postgres "reader" {
  address  = "reader.site.example:5432"
  user     = "nobody"
  password = "rehearsal-nobody"
}
postgres "behind" {
  address  = "behind.site.example:5432"
  user     = "nobody"
  password = "rehearsal-nobody"
}
postgres "beside" {
  address  = "beside.site.example:5432"
  user     = "nobody"
  password = "rehearsal-nobody"
}

page "web/front" { body = "ok" }

program "bin/site" {
  args  = ["hand-over"]
  files = { "out/b.kubeconfig" = { kubeconfig = "b" } }
}
program "bin/site" {
  args  = ["mistake"]
  files = { "out/b.kubeconfig" = { kubeconfig = "c" } }
}
program "bin/site" {
  args  = ["cut-off"]
  stops = ["cluster.b"]
}
program "bin/site" {
  args  = ["forget"]
  stops = ["postgres.behind", "postgres.beside"]
}
program "bin/site" {
  args       = ["address"]
  address_of = "b/web/front"
}

program "bin/mark" {
  args    = ["is"]
  true_if = ["postgres.mark"]
}
program "bin/mark" {
  args   = ["set"]
  starts = ["postgres.mark"]
  files  = { "out/mark" = { text = "marked" } }
}
program "bin/mark" {
  args  = ["unset"]
  stops = ["postgres.mark"]
}
program "bin/mark" {
  args  = ["rewrite"]
  files = { "out/mark" = { text = "rewritten" } }
}

program "bin/note" {
  args    = ["is", "reader"]
  true_if = ["postgres.reader"]
}
program "bin/note" {
  args   = ["make", "reader"]
  starts = ["postgres.reader"]
}
program "bin/note" {
  args    = ["is", "behind"]
  true_if = ["postgres.behind"]
}
program "bin/note" {
  args   = ["make", "behind"]
  starts = ["postgres.behind"]
}
program "bin/note" {
  args    = ["is", "beside"]
  true_if = ["postgres.beside"]
}
program "bin/note" {
  args   = ["make", "beside"]
  starts = ["postgres.beside"]
}
