recovery "shop" {}
recovery "shop" {}

variable "a" {}
variable "a" {}

locals { b = 1 }
locals { b = 2 }

provider "s3" "c" {}
provider "s3" "c" {}

resource "command" "d" {
  check = ["true"]
  apply = ["true"]
  apply = ["false"]
}

check "e" {
  assert {
    condition     = true
    error_message = "no"
  }
}

output "f" { value = 1 }
