# A world whose clock is that of this machine, and where nothing takes long.

variables = { kubeconfig = "given to drplan", place = "given to drplan" }

durations {
  pod_start = "100ms"
  pod_ready = "100ms"
  pod_stop  = "100ms"
}

cluster "b" {
  server  = "https://b.open.example:6443"
  nodes   = 2
  running = true
}
