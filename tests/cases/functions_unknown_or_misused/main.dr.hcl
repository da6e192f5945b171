locals {
  a = jion(",", ["a"])
  b = completely_different("a")
  c = join("a")
  d = 1 / 0
  e = [1, 2][5]
}

output "all" { value = [local.a, local.b, local.c, local.d, local.e] }
