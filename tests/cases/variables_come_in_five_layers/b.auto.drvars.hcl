site = "auto-b"
