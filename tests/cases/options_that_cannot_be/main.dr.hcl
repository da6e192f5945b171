resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
