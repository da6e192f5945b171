resource "command" "site" {
  check = ["true"]
  apply = ["true"]
}

resource "command" "without_check" {
  apply = ["true"]
}

resource "approval" "of_nothing" {
  from = "dba"
}

resource "approval" "of_an_empty_list" {
  from   = "dba"
  guards = []
}

resource "approval" "of_a_stranger" {
  from   = "dba"
  guards = [command.sight]
}
