"""Arrays in, arrays out: the integrated likelihood with its gradient, small matrices, quadrature."""
