locals {
  a = jion(",", ["a"])
  b = completely_different("a")
  c = join("a")
  d = 1 / 0
  e = [1, 2][5]
}

output "a" { value = local.a }
output "b" { value = local.b }
output "c" { value = local.c }
output "d" { value = local.d }
output "e" { value = local.e }
