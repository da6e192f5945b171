recovery "shop" {
  rpo = "1h"
  rto = "30m"
}

resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["sh", "-c", "echo 192.0.2.1 > site"]
  outputs = { address = { file = "site" } }
}

resource "command" "there" {
  check = ["true"]
  apply = ["false"]
}

resource "command" "other" {
  check       = ["test", "-e", "other"]
  apply       = ["touch", "other"]
  criticality = "best_effort"
}

resource "command" "app" {
  stage  = "apps"
  check  = ["test", "-e", "app"]
  apply  = ["sh", "-c", "echo $ADDRESS > app"]
  env    = { ADDRESS = command.site.outputs.address }
}

resource "approval" "go" {
  guards = [command.app]
  from   = "the shop's owner"
  text   = "Shall the shop open?"
}

check "address" {
  assert {
    condition     = trimspace(command.site.outputs.address) == "192.0.2.1"
    error_message = "the address is ${command.site.outputs.address}"
  }
}

output "address" {
  value = command.site.outputs.address
}
