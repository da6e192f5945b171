# Two steps that write down that they were done, and a store for runs that a team shares.
#
# `first` ends when the test lets it, and fails if it never does; `second` waits for it. Each test writes a
# bucket of its own in the place of `runs`, which must be plain text.

recovery "store" {
  run_store {
    provider = s3.store
    bucket   = "runs"
  }
}

variable "shared" { description = "The folder that all machines see" }
variable "bucket_endpoint" {}
variable "bucket_access_key" { sensitive = true }
variable "bucket_secret_key" { sensitive = true }

provider "s3" "store" {
  region     = "eu-west-1"
  endpoint   = var.bucket_endpoint
  access_key = var.bucket_access_key
  secret_key = var.bucket_secret_key
}

resource "command" "first" {
  check       = ["test", "-e", "first"]
  apply       = ["sh", "-c", "n=0; echo first >> log; while [ ! -e let ] && [ $n -lt 4000 ]; do sleep 0.05; n=$((n+1)); done; [ -e let ] && touch first"]
  working_dir = var.shared
  timeout     = "10m"
}

resource "command" "second" {
  check       = ["test", "-e", "second"]
  apply       = ["sh", "-c", "echo second >> log; touch second"]
  working_dir = var.shared
  depends_on  = [command.first]
}
