variable "site" { default = "b" }

locals {
  folder = var.sight
}

resource "command" "site" {
  check = ["test", "-e", local.foldr]
  apply = ["touch", command.sites.outputs.x]
}

resource "command" "two" {
  check      = ["test", "-e", data.velero_backup.infra.name]
  apply      = ["touch", command.site.output.x]
  depends_on = [command.sit]
}

check "one" {
  depends_on = [check.two]
  assert {
    condition     = cmmand.site.outputs.x == each.key
    error_message = "no"
  }
}
