resource "command" "site" {
  stage       = "databse"
  timeout     = "10 minutes"
  criticality = "hardly"
  read        = "later"
  depends_on  = "command.site"
  check       = ["true"]
  apply       = ["true"]
}

resource "command" "both" {
  for_each = { a = 1 }
  count    = 2
  check    = ["true"]
  apply    = ["true"]
}
