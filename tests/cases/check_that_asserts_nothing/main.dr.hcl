check "empty" {
}

check "half" {
  severity = "fatal"
  assert {
    condition = true
  }
}
