recovery "shop" {}

resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["touch", "site"]
  outputs = { address = { file = "site" } }
}

resource "command" "store" {
  for_each = ["eu", "us"]
  stage    = "databases"
  check    = ["test", "-e", each.key]
  apply    = ["touch", each.key]
  env      = { SITE = command.site.outputs.address }
}

resource "command" "shop" {
  stage      = "apps"
  check      = ["test", "-e", "shop"]
  apply      = ["touch", "shop"]
  depends_on = [command.store["eu"]]
}

resource "command" "search" {
  stage = "apps"
  check = ["test", "-e", "search"]
  apply = ["touch", "search"]
}

resource "approval" "open" {
  guards = [command.shop]
  from   = "the owner"
  text   = "Shall the shop open?"
}

check "address" {
  assert {
    condition     = command.site.outputs.address == ""
    error_message = "the site has an address"
  }
}

check "search_finds" {
  depends_on = [command.search]
  assert {
    condition     = true
    error_message = "it finds nothing"
  }
}

output "address" {
  value = command.site.outputs.address
}
