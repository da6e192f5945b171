# Without stages, so that nothing waits but by what the rows say.
recovery "site" {
  ordering = "inferred"
}

variable "database" { sensitive = true }
variable "bucket_key" { sensitive = true }
variable "velero_key" { sensitive = true }
variable "dns_key" { sensitive = true }

provider "kubernetes" "b" { kubeconfig_path = "out/b.kubeconfig" }

provider "postgres" "b" { connection = var.database }

provider "s3" "backups" {
  region     = "eu-west-1"
  access_key = "AKIDREADER"
  secret_key = var.bucket_key
}

provider "route53" "dns" {
  access_key = "AKIDDNS"
  secret_key = var.dns_key
}

