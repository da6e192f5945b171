site = "auto-a"
