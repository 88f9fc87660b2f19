# Rscript reference.R > raw_output.txt   (in this folder). Base R, and Debian 12's r-cran-rpact.
suppressPackageStartupMessages(library(rpact))
options(digits = 12, width = 140)
out <- NULL
put <- function(case, quantity, value) { cat(case, quantity, sprintf("%.12g", value), "\n"); out <<- rbind(out, data.frame(case, quantity, value = sprintf("%.12g", value))) }
put("t_half_80", "n", power.t.test(delta = 0.5, sd = 1, power = 0.8)$n)
put("t_third_90", "n", power.t.test(delta = 2, sd = 6, power = 0.9)$n)
put("t_one_sided", "n", power.t.test(delta = 1, sd = 1.5, power = 0.85, sig.level = 0.025, alternative = "one.sided")$n)
put("t_small", "n", power.t.test(delta = 2, sd = 1, power = 0.9)$n)
one <- function(...) getSampleSizeMeans(getDesignInverseNormal(kMax = 1, alpha = 0.025, beta = 0.2, sided = 1), groups = 2, ...)
r <- one(alternative = 0.5, stDev = 1, allocationRatioPlanned = 2); put("means_2to1", "n_control", r$nFixed2); put("means_2to1", "n_active", r$nFixed1)
r <- one(alternative = 0, stDev = 3, thetaH0 = -1); put("means_margin", "n_control", r$nFixed2)
ev <- function(case, ratio, ...) {
  r <- getSampleSizeSurvival(getDesignInverseNormal(kMax = 1, alpha = 0.025, beta = 0.2, sided = 1), typeOfComputation = "Schoenfeld", ...)
  put(case, "events", r$eventsFixed); put(case, "n", r$nFixed)
}
ev("events", hazardRatio = 0.7, median2 = 24, accrualTime = c(0, 18), followUpTime = 12)
ev("events_dropout", hazardRatio = 0.7, median2 = 24, accrualTime = c(0, 18), followUpTime = 12, dropoutRate1 = 0.1, dropoutRate2 = 0.1, dropoutTime = 12)
ev("events_2to1", hazardRatio = 0.65, median2 = 18, accrualTime = c(0, 24), followUpTime = 6, allocationRatioPlanned = 2)
ev("events_margin", hazardRatio = 1, thetaH0 = 1.3, median2 = 24, accrualTime = c(0, 18), followUpTime = 12)
# Slopes of two groups, visits at 0, 2, 5, equicorrelated responses: the generalised-least-squares variance of a slope by matrices,
# unrounded n per group for a difference of 0.5, one-sided 0.05, power 0.8 (Diggle, Heagerty, Liang & Zeger 2002, section 2.4).
for (rho in c(0.2, 0.5, 0.8)) for (variance in c(100, 200, 300)) {
  X <- cbind(1, c(0, 2, 5)); V <- variance * ((1 - rho) * diag(3) + rho)
  put(paste("slope", rho, variance, sep = "_"), "n", 2 * solve(t(X) %*% solve(V) %*% X)[2, 2] * (qnorm(0.95) + qnorm(0.8))^2 / 0.5^2)
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("rpact", packageVersion("rpact"))), "versions.txt")
