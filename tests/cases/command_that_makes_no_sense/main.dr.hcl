resource "command" "empty" {
  check = []
  apply = []
}

resource "command" "outputs_without_a_check" {
  apply   = ["true"]
  guards  = [command.empty]
  outputs = { a = { file = "a" } }
}

resource "command" "output_from_nowhere" {
  check   = ["true"]
  apply   = ["true"]
  outputs = { a = { sensitive = true } }
}
