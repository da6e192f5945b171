resource "command" "site" {
  check = ["true"]
  apply = ["true"]
}

resource "command" "each" {
  for_each = { a = 1 }
  check    = ["true"]
  apply    = ["true"]
}

resource "approval" "of_an_empty_list" {
  from   = "dba"
  guards = []
}

resource "approval" "of_a_stranger" {
  from   = "dba"
  guards = [command.sight]
}

resource "approval" "of_an_instance_that_is_not" {
  from   = "dba"
  guards = [command.each["b"]]
}

resource "approval" "of_itself" {
  from   = "dba"
  guards = [approval.of_itself]
}
