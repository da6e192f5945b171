resource "command" "d" {
  check = ["true"]
  apply = ["true"]
}

check "e" {
  assert {
    condition     = true
    error_message = "no"
  }
}

output "f" { value = 2 }
