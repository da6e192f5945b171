recovery "shop" {}

variable "names" {
  type    = list(string)
  default = ["a", "b"]
}

# The shape of a block is wrong.
resource "command" "site" {
  check = ["test", "-e", "site"]
  aply  = ["touch", "site"]
}

# A value is wrong.
resource "command" "page" {
  check = ["test", "-e", "page"]
  apply = ["touch", var.names[2]]
}

# A file is not there.
resource "command" "file" {
  stage = "appps"
  check = ["true"]
  apply = ["echo", file("no.txt")]
  env   = { SITE = command.site.outputs }
}
