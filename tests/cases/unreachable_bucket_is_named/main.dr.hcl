variable "key" {
  sensitive = true
}

provider "s3" "backups" {
  region     = "eu-west-1"
  endpoint   = "http://127.0.0.1:1"
  access_key = "key"
  secret_key = var.key
}

data "dump_archive" "shop" {
  bucket = "shop-dr"
  prefix = "dumps/"
}

data "velero_backup" "infra" {
  bucket = "shop-dr"
}

output "at" { value = data.dump_archive.shop.at }
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
