resource "command" "site" {
  check = ["sh", "-c", "echo cannot reach the site >&2; exit 7"]
  apply = ["true"]
}

resource "command" "no_program" {
  check = ["./site.sh", "is-up"]
  apply = ["./site.sh", "up"]
}
resource "command" "fine" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
