# Steps that write down that they were done, on one machine.
#
# `first` ends when the test lets it, and fails if it never does; then there is more to write into a journal
# than fits into what a full disk has left of a page.

recovery "alone" {}

variable "shared" { description = "A folder outside of the one under test" }

resource "command" "first" {
  check       = ["test", "-e", "first"]
  apply       = ["sh", "-c", "n=0; echo first >> log; while [ ! -e let ] && [ $n -lt 4000 ]; do sleep 0.05; n=$((n+1)); done; [ -e let ] && touch first"]
  working_dir = var.shared
}

resource "command" "row" {
  for_each    = toset([for n in range(1, 13) : "r${n}"])
  check       = ["test", "-e", each.key]
  apply       = ["sh", "-c", "echo $0 >> log; touch $0", each.key]
  working_dir = var.shared
  depends_on  = [command.first]
}
