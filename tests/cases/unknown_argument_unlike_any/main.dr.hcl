recovery "r" {}

provider "http" "shop" {
  zzz = 1
}

provider "local" "here" {
  zzz = 1
}

resource "command" "site" {
  check  = ["true"]
  apply  = ["true"]
  zzz    = 1
  depend = []
}
