variable "site" { default = "default" }

resource "command" "site" {
  check = ["test", "-e", "${var.site}.txt"]
  apply = ["touch", var.site]
}
