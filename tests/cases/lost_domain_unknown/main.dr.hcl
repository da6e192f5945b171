provider "kubernetes" "a" {
  kubeconfig_path = "kubeconfig"
  failure_domain  = ["cluster:a"]
}

domain "cluster:a" {
  within = ["region:west"]
}
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
