resource "command" "site" {
  check = ["true"]
  apply = ["true"]
}

resource "command" "each" {
  for_each = { a = 1 }
  check    = ["true"]
  apply    = ["true"]
}

resource "approval" "of_a_stranger" {
  from   = "dba"
  guards = [command.sight]
}
