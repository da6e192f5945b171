variable "secret" {
  sensitive = true
  default   = "canary"
}

resource "command" "site" {
  check   = ["true"]
  apply   = ["true"]
  outputs = { names = { stdout = true, json = true } }
}

resource "command" "of_what_a_step_makes" {
  for_each = command.site.outputs.names
  check    = ["true", each.key]
  apply    = ["true"]
}

resource "command" "of_a_secret" {
  for_each = { (var.secret) = 1 }
  check    = ["true", each.key]
  apply    = ["true"]
}

resource "command" "of_a_secret_value" {
  for_each = toset([var.secret])
  check    = ["true", each.key]
  apply    = ["true"]
}

resource "command" "of_a_number" {
  for_each = 3
  check    = ["true"]
  apply    = ["true"]
}
