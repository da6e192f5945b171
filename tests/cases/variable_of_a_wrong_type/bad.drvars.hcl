nodes = ["three"]
