node = 4
