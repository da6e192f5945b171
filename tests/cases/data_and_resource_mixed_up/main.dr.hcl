data "command" "site" {
  apply = ["true"]
}

resource "velero_backup" "infra" {
  bucket = "b"
}
