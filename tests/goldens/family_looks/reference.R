# Rscript reference.R > raw_output.txt   (in this folder). lrstat 0.1.11 from https://github.com/kaifenglu/lrstat at commit 43a2524, with
# RcppExports made anew by Rcpp::compileAttributes (the commit's own names a function that it has not).
suppressPackageStartupMessages(library(lrstat))
options(digits = 10, width = 140)
out <- NULL
put <- function(case, trial, hypothesis, look, value) out <<- rbind(out, data.frame(case, trial, hypothesis, look, value = sprintf("%.12g", value)))
w <- c(0.5, 0.5, 0, 0)
G <- matrix(c(0, 0.5, 0.5, 0, 0.5, 0, 0, 0.5, 0, 1, 0, 0, 1, 0, 0, 0), nrow = 4, byrow = TRUE)
# The case study of Maurer and Bretz (2013), two looks of three: the first look at which each hypothesis is rejected, 0 for never.
found <- fseqbon(w = w, G = G, alpha = 0.025, kMax = 3, typeAlphaSpending = rep("sfOF", 4), maxInformation = rep(1, 4),
  p = matrix(c(0.0062, 0.017, 0.009, 0.13, 0.0002, 0.0035, 0.002, 0.06), nrow = 4), information = matrix(c(rep(1/3, 4), rep(2/3, 4)), nrow = 4))
print(found)
for (h in 1:4) put("case study", 1, h, 0, found[h])
for (level in c(0.0125, 0.01875, 0.025)) put(paste("case study", level), 1, 0, 1:2, getBound(2, c(0.5, 1), level, "sfOF", NA, NA, c(1/3, 2/3)))
# Trials whose information strays from the plan.
d <- read.csv("trials.csv")
maxima <- c(30, 12, 5, 80)
kind <- c("sfOF", "sfP", "sfHSD", "sfKD"); parameter <- c(NA, NA, -2, 1.5)
d <- d[order(d$trial, d$hypothesis, d$look), ]
p <- matrix(d$p, ncol = 3, byrow = TRUE); info <- matrix(d$information, ncol = 3, byrow = TRUE)
found <- matrix(fseqbon(w = w, G = G, alpha = 0.025, kMax = 3, typeAlphaSpending = kind, parameterAlphaSpending = parameter,
  maxInformation = maxima, p = p, information = info), ncol = 4, byrow = TRUE)
print(found)
for (t in seq_len(nrow(found))) for (h in 1:4) put("rejected", t, h, 0, found[t, h])
for (t in 1:15) for (h in 1:4) for (level in c(0.025, 0.0125, 0.004)) {
  came <- info[4 * (t - 1) + h, ]; spending <- pmin(came / maxima[h], 1); spending[3] <- 1
  bound <- getBound(3, came / came[3], level, kind[h], parameter[h], NA, spending)
  cat(t, h, level, bound, "\n")
  put(paste("bound", level), t, h, 1:3, bound)
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("lrstat", packageVersion("lrstat")), paste("Rcpp", packageVersion("Rcpp"))), "versions.txt")
