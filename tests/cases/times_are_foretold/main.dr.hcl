recovery "shop" { rto = "30m" }

variable "store" {
  type    = string
  default = "12m"
}

resource "command" "site" {
  check    = ["test", "-e", "site"]
  apply    = ["touch", "site"]
  expected = "8m"
}

resource "command" "store" {
  stage    = "databases"
  check    = ["test", "-e", "store"]
  apply    = ["touch", "store"]
  expected = var.store
  timeout  = "2h"
}

resource "command" "search" {
  stage    = "databases"
  check    = ["test", "-e", "search"]
  apply    = ["touch", "search"]
  expected = "10m"
}

resource "command" "shop" {
  stage    = "apps"
  check    = ["test", "-e", "shop"]
  apply    = ["touch", "shop"]
  expected = "90s"
}

resource "command" "there" {
  check = ["true"]
  apply = ["false"]
}

resource "approval" "open" {
  guards = [command.shop]
  from   = "the owner"
  text   = "Shall the shop open?"
}
