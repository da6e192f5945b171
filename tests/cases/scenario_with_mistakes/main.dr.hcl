recovery "shop" {}

scenario "of_nothing" {}

scenario "of_nothing" {
  lost = ["region:west"]
}

scenario "of_text" {
  lost = "region:west"
  rto  = "1h"
}

resource "command" "site" {
  check          = ["true"]
  apply          = ["true"]
  failure_domain = "region:west"
}
