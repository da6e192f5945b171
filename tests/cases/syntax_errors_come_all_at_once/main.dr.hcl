recovery "shop" {
  rpo =
}

resource "command" "site" {
  check = ["test", "-e", "site"
  apply = ["touch", "site"]
}

locals {
  a = 1 +
  b = "${"
}

check "it_lives" {
  assert {
    condition     = 1 == 1
    error_message = "no"
  }
