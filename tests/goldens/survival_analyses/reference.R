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
# Cox regression with Fleming and Harrington's weights: everybody at risk is cut at the event times, and each piece has the weight of its end.
d$layer <- 1
for (case in c("plain", "stratified")) for (power in list(c(0, 1), c(1, 0), c(0.5, 2))) {
  if (case == "stratified") d$layer <- d$stratum else d$layer <- 1
  cut <- survSplit(Surv(month, event) ~ ., d, cut = sort(unique(d$month[d$event == 1])), start = "start", end = "stop")
  for (k in unique(d$layer)) { f <- survfit(Surv(month, event) ~ 1, d[d$layer == k, ])
    cut$before[cut$layer == k] <- stepfun(f$time, c(1, f$surv))(cut$start[cut$layer == k]) }
  cut$w <- cut$before^power[1] * (1 - cut$before)^power[2]; cut <- cut[cut$w > 0, ]; cut$w2 <- cut$w^2
  g <- Surv(start, stop, event) ~ arm + strata(layer)
  f <- coxph(g, cut, weights = w, ties = "efron", control = tight, robust = FALSE)
  f2 <- coxph(g, cut, weights = w2, ties = "efron", init = coef(f), control = coxph.control(iter.max = 0), robust = FALSE)
  name <- paste("average", power[1], power[2], case, sep = "_")
  put(name, "estimate", coef(f)[["arm"]]); put(name, "se", sqrt(1 / f2$var[1, 1]) * f$var[1, 1])
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
