locals {
  a = local.b
  b = "${local.c}!"
  c = [local.a]
}

resource "command" "site" {
  check = ["true", local.a]
  apply = ["true"]
}
