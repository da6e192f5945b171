# A yard whose workers must stand still while something is loaded. Site B lives.

recovery "yard" {}

variable "site_dir" { description = "The folder that site B lives in" }

provider "kubernetes" "b" {
  kubeconfig_path = "${var.site_dir}/drplan.kubeconfig"
}

resource "kubernetes_pause" "workers" {
  provider = kubernetes.b
  objects  = ["CronJob/yard/*", "Deployment/yard/*"]
  guards   = [command.load]
  expires  = "2h"
}

resource "command" "load" {
  check   = ["test", "-e", "loaded"]
  apply   = ["sh", "load.sh"]
  timeout = "2m"
}

resource "kubernetes_release" "workers" {
  provider   = kubernetes.b
  depends_on = [command.load]
}
