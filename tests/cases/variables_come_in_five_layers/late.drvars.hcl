site = "late"
