# Rscript reference.R > raw_output.txt   (in this folder). Debian 12: r-cran-survival, r-cran-mvtnorm.
suppressPackageStartupMessages({library(survival); library(mvtnorm)})
options(digits = 12)
d <- read.csv("events.csv"); out <- NULL
put <- function(case, quantity, value) { cat(case, quantity, format(value, digits = 14), "\n")
  out <<- rbind(out, data.frame(case, quantity, value = sprintf("%.14g", value))) }
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15)
fits <- list(plain = Surv(month, event) ~ arm, stratified = Surv(month, event) ~ arm + strata(stratum),
             adjusted = Surv(month, event) ~ arm + age + bulbar, both = Surv(month, event) ~ arm + age + bulbar + strata(stratum))
for (case in names(fits)) {
  f <- coxph(fits[[case]], d, ties = "efron", control = tight); print(summary(f)); v <- vcov(f)
  for (term in names(coef(f))) { put(case, term, coef(f)[[term]]); put(case, paste0("se_", term), sqrt(v[term, term])) }
  put(case, "loglik", f$loglik[2])
  null <- update(f, . ~ . - arm)
  put(case, "lr", 2 * (f$loglik[2] - (if (inherits(null, "coxph.null")) null$loglik else null$loglik[2])))
  if (case %in% c("plain", "stratified")) put(case, "score", f$score)
}
for (case in c("plain", "stratified")) {
  g <- if (case == "plain") Surv(month, event) ~ arm else Surv(month, event) ~ arm + strata(stratum)
  t1 <- survdiff(g, d, rho = 1); print(t1); put(paste0("rho1_", case), "chisq", t1$chisq)
  t2 <- survdiff(g, d, rho = 0.5); print(t2); put(paste0("rho05_", case), "chisq", t2$chisq)
}
km <- survfit(Surv(month, event) ~ arm, d, conf.type = "log-log"); print(km)
for (a in 0:1) for (m in c(3, 6.5, 12, 18)) { s <- summary(km[a + 1], times = m)
  for (q in c("surv", "std.err", "lower", "upper", "n.risk")) put(paste0("km", a), paste0(q, "_", m), s[[q]]) }
for (type in c("log-log", "log")) { k <- survfit(Surv(month, event) ~ arm, d, conf.type = type); tab <- summary(k)$table
  for (a in 0:1) for (q in c("median", "0.95LCL", "0.95UCL")) put(paste0("median", a), paste0(type, "_", q), tab[a + 1, q]) }
for (tau in c(12, 18)) for (a in 0:1) { tab <- summary(km[a + 1], rmean = tau)$table
  put(paste0("rmst", a), paste0("mean_", tau), tab[["rmean"]]); put(paste0("rmst", a), paste0("se_", tau), tab[["se(rmean)"]]) }
# Boxes of correlated normals: Miwa's grid, and Genz-Bretz where the correlation is singular.
put("box", "2d", pmvnorm(c(-2, -2), c(2, 2), corr = matrix(c(1, .6, .6, 1), 2), algorithm = Miwa(4097))[1])
c3 <- matrix(c(1, .5, .8, .5, 1, .3, .8, .3, 1), 3)
put("box", "3d", pmvnorm(rep(-2.1, 3), rep(2.1, 3), corr = c3, algorithm = Miwa(4097))[1])
c4 <- matrix(.4, 4, 4); diag(c4) <- 1; c4[1, 2] <- c4[2, 1] <- .7
put("box", "4d", pmvnorm(rep(-2.3, 4), rep(2.3, 4), corr = c4, algorithm = Miwa(1025))[1])
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival")), paste("mvtnorm", packageVersion("mvtnorm"))), "versions.txt")
