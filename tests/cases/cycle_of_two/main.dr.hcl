resource "command" "egg" {
  check      = ["true"]
  apply      = ["true"]
  depends_on = [command.hen]
}

resource "command" "hen" {
  check = ["true"]
  apply = ["true", command.egg.outputs.x]
}
