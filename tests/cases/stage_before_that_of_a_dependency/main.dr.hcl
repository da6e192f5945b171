resource "command" "late" {
  stage = "apps"
  check = ["true"]
  apply = ["true"]
}

resource "command" "before" {
  stage      = "infra"
  check      = ["true"]
  apply      = ["true"]
  depends_on = [command.late]
}
