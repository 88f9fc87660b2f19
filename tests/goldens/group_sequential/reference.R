# Rscript reference.R > raw_output.txt   (in this folder). Debian 12: r-cran-rpact.
suppressPackageStartupMessages(library(rpact))
options(digits = 12, width = 140)
out <- NULL
put <- function(case, quantity, values)
  out <<- rbind(out, data.frame(case, quantity, look = seq_along(values), value = sprintf("%.12g", values)))
show <- function(case, d) { cat("\n==", case, "\n"); print(d$criticalValues); print(d$alphaSpent); put(case, "upper", d$criticalValues); put(case, "alpha_spent", d$alphaSpent) }
equal5 <- (1:5) / 5
uneven <- c(0.25, 0.6, 1)
tol <- 1e-10
plan <- list(
  list("of", "OF", list()), list("p", "P", list()), list("wt25", "WT", list(deltaWT = 0.25)), list("hp", "HP", list()),
  list("asof", "asOF", list()), list("asp", "asP", list()), list("hsd-4", "asHSD", list(gammaA = -4)), list("hsd1", "asHSD", list(gammaA = 1)),
  list("kd3", "asKD", list(gammaA = 3)), list("kd1.5", "asKD", list(gammaA = 1.5)))
for (rates in list(equal5 = equal5, uneven = uneven)) for (sided in 1:2) for (p in plan) {
  name <- paste(p[[1]], length(rates), sided, sep = "_")
  d <- do.call(getDesignGroupSequential, c(list(typeOfDesign = p[[2]], informationRates = rates, alpha = 0.025 * sided, sided = sided, tolerance = tol), p[[3]]))
  show(name, d)
}
d <- getDesignGroupSequential(typeOfDesign = "asUser", informationRates = uneven, alpha = 0.025, userAlphaSpending = c(0.002, 0.01, 0.025), tolerance = tol)
show("user_3_1", d)
# Classical constants at two-sided 0.05: Pocock's and O'Brien and Fleming's, 2 to 5 equally spaced looks.
for (k in 2:5) for (type in c("OF", "P"))
  show(paste("classical", tolower(type), k, sep = "_"), getDesignGroupSequential(kMax = k, typeOfDesign = type, alpha = 0.05, sided = 2, tolerance = tol))
# Futility by beta spending, binding or not; power at the drift that it fixes.
for (binding in c(FALSE, TRUE)) for (b in list(list("bsOF", NULL), list("bsP", NULL), list("bsHSD", -2), list("bsKD", 2))) {
  name <- paste("beta", b[[1]], if (binding) "binding" else "free", sep = "_")
  d <- do.call(getDesignGroupSequential, c(list(typeOfDesign = "asOF", informationRates = uneven, alpha = 0.025, beta = 0.2, sided = 1,
    typeBetaSpending = b[[1]], bindingFutility = binding, tolerance = tol), if (is.null(b[[2]])) list() else list(gammaB = b[[2]])))
  show(name, d)
  put(name, "lower", d$futilityBounds)
  put(name, "beta_spent", d$betaSpent)
  ch <- getDesignCharacteristics(d)
  print(ch)
  put(name, "shift", ch$shift)
}
# Fixed futility.
for (binding in c(FALSE, TRUE)) {
  name <- paste("fixed", if (binding) "binding" else "free", sep = "_")
  d <- getDesignGroupSequential(typeOfDesign = "asP", informationRates = uneven, alpha = 0.025, futilityBounds = c(-0.3, 0.8), bindingFutility = binding, tolerance = tol)
  show(name, d)
}
# Characteristics: shift (drift squared), inflation factor, expected size under H1, H01, H0 as a share of the fixed size; exits.
for (type in c("OF", "P", "asOF", "asP")) {
  d <- getDesignGroupSequential(typeOfDesign = type, informationRates = equal5, alpha = 0.025, beta = 0.1, sided = 1, tolerance = tol)
  ch <- getDesignCharacteristics(d)
  print(ch)
  name <- paste("char", type, sep = "_")
  put(name, "shift", ch$shift); put(name, "inflation", ch$inflationFactor)
  put(name, "asn_h1", ch$averageSampleNumber1); put(name, "asn_h0", ch$averageSampleNumber0)
  put(name, "exit_h1", ch$rejectionProbabilities)
}
# Final inference after stops at various looks of an O'Brien-Fleming type design; effect of one mean against 0 with known variance 1.
d <- getDesignGroupSequential(typeOfDesign = "asOF", informationRates = uneven, alpha = 0.025, sided = 1, tolerance = tol)
n <- c(25, 60, 100)
for (stop in 1:3) {
  z <- c(4.6, 2.9, 2.3)[stop]
  before <- c(1.0, 1.4)[seq_len(stop - 1)]
  means <- c(before, z) / sqrt(n[1:stop])
  # Cumulative means for the stages so far, known variance.
  data <- getDataset(cumulativeN = n[1:stop], cumulativeMeans = means, cumulativeStDevs = rep(1, stop))
  r <- getAnalysisResults(d, data, normalApproximation = TRUE, thetaH0 = 0, directionUpper = TRUE, nPlanned = if (stop < 3) diff(n)[stop:2] else NA_real_, stage = stop)
  print(r)
  name <- paste("final", stop, sep = "_")
  put(name, "final_p", r$finalPValues); put(name, "low", r$finalConfidenceIntervalLowerBounds); put(name, "high", r$finalConfidenceIntervalUpperBounds)
  put(name, "estimate", r$medianUnbiasedEstimates); put(name, "rci_low", r$repeatedConfidenceIntervalLowerBounds)
  put(name, "rci_high", r$repeatedConfidenceIntervalUpperBounds); put(name, "repeated_p", r$repeatedPValues)
}
# Conditional power after look 1 and 2 for a named effect.
for (stop in 1:2) {
  means <- c(1.5, 1.7)[1:stop] / sqrt(n[1:stop])
  data <- getDataset(cumulativeN = n[1:stop], cumulativeMeans = means, cumulativeStDevs = rep(1, stop))
  r <- getAnalysisResults(d, data, normalApproximation = TRUE, thetaH0 = 0, thetaH1 = 0.3, assumedStDev = 1, nPlanned = diff(n)[stop:2], stage = stop)
  print(r)
  put(paste("conditional", stop, sep = "_"), "power", r$conditionalPower)
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("rpact", packageVersion("rpact"))), "versions.txt")
