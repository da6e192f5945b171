site = "own"
