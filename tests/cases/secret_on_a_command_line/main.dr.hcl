variable "token" { sensitive = true }

resource "command" "site" {
  check   = ["test", "-e", "token"]
  apply   = ["touch", "token"]
  outputs = { token = { file = "token", sensitive = true } }
}

resource "command" "login" {
  check = ["test", "-e", var.token]
  apply = ["login", "Bearer ${command.site.outputs.token}"]
}
