recovery "shop" {}

resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]

  outputs = {
    address = { file = "address" }
    ports   = { file = "ports.json", json = true }
  }
}

locals {
  site = command.site.outputs
}

resource "command" "good" {
  check = ["test", "-e", "good"]
  apply = ["touch", "good"]
  env   = { ADDRESS = command.site.outputs.address, WEB = command.site.outputs.ports.web }
}

resource "command" "fields_of_text" {
  check = ["test", "-e", "page"]
  apply = ["touch", "page"]
  env   = { IP = command.site.outputs.address.ip }
}

resource "command" "index_into_text" {
  check = ["test", "-e", "page"]
  apply = ["touch", "page"]
  env   = { IP = local.site["address"]["ip"] }
}

resource "command" "output_that_is_not_there" {
  check = ["test", "-e", "page"]
  apply = ["touch", "page"]
  env   = { IP = local.site.adress }
}
