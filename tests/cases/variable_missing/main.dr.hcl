variable "site" {
  type        = string
  description = "Which site"
}

variable "nodes" {
  type    = number
  default = 3
}

resource "command" "site" {
  check = ["test", "-e", var.site]
  apply = ["touch", var.site, "${var.nodes}"]
}
