recovery "shop" {
  rpo = "1h"
}

resource "command" "a_name_that_is_rather_long_for_such_a_small_thing" {
  check = ["test", "-e", "a/path/that/is/also/rather/long/and/goes/on/for/a/while"]
  apply = ["touch", "a/path/that/is/also/rather/long/and/goes/on/for/a/while"]
}
