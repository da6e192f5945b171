recovery "shop" {
  rpo         = "soon"
  rto         = 10
  incident_at = "yesterday"
  ordering    = "sorted"
}

provider "s3" "backups" {
  region = ["eu-west-1"]
}

provider "postgres" "b" {
}

resource "command" "site" {
  check = "test -e site"
}

resource "command" "two" {
  check       = ["true"]
  apply       = ["true", { a = 1 }]
  timeout     = "10 minutes"
  criticality = "hardly"
  depends_on  = "command.site"
}

resource "command" "three" {
  check          = ["true"]
  apply          = ["true"]
  on_interrupted = "retry"
  outputs        = { a = { file = "a", sensitive = "very" } }
}

resource "postgres_restore" "shop" {
  database = "shop"
  dump     = "dumps/shop"
}
