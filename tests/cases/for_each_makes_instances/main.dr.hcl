resource "command" "site" {
  for_each = { a = "one", "b c" = "two" }
  check    = ["test", "-e", each.value]
  apply    = ["touch", each.value]
}

resource "command" "after_one" {
  check      = ["test", "-e", "after"]
  apply      = ["touch", "after"]
  depends_on = [command.site["a"]]
}

resource "command" "after_all" {
  check      = ["test", "-e", "after"]
  apply      = ["touch", "after"]
  depends_on = [command.site]
}
