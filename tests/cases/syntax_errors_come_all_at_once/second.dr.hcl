variable "x" { default = }
