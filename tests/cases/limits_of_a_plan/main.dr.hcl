recovery "shop" {}

resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}

resource "command" "shop" {
  check = ["test", "-e", "shop"]
  apply = ["touch", "shop"]
}
