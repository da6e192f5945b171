resource "command" "each" {
  for_each = { a = 1 }
  check    = ["true"]
  apply    = ["true"]
}

resource "command" "behind" {
  check      = ["true"]
  apply      = ["true"]
  depends_on = [command.each["c"]]
}

resource "approval" "before" {
  from   = "dba"
  guards = [command.each["b"]]
}
