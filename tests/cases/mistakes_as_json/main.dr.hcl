resource "comand" "site" {
  apply = ["true"]
}
variable "x" {}
